#include "lab/work_priv.h"

#include <stdlib.h>

#include "crypto/crypto.h"
#include "lab/oracle_priv.h"

enum {
    USERS = 8,
    PROBES = KL_LAB_MACHINES_MAX, /* one account a machine, behind the users' */
    OPERATORS = USERS + PROBES,   /* one a validator, behind those */
    ACCOUNTS = OPERATORS + KL_LAB_VALIDATORS_MAX,
    OUTSTANDING = 4, /* of one account */
    AGAIN_S = 3,     /* seconds after which a user sends again */
};

struct sent {
    kl_tx tx; /* in the arena */
    struct kl_arena arena;
    u64 at_ns, at_views;
    u32 kept; /* machines that keep it and are down, a bit each */
};

struct account {
    kl_secret32 secret;
    kl_address address;
    u64 nonce, final;              /* of the next one made, of the next one final */
    bool went_well;                /* the last final one */
    struct sent sent[OUTSTANDING]; /* by nonce % OUTSTANDING */
};

struct kl_lab_work {
    struct account account[ACCOUNTS];
};

/* Contracts: a counter; one that stores a word under a word; one that fails; a token without any
 * care; one that stores what it is given and logs it.  Their addresses end in c0, c1, … */
static const char *const contracts[] = {
    "60005460010160005500",
    "6020355f355500",
    "5f5ffd",
    "602035335403335560203"
    "55f3554015f355533"
    "5f5260205fa000",
    "5f355f525f355f355560205fa000",
};
enum { COUNTER, STORE, FAILING, TOKEN, LOGGING, CONTRACTS };

static kl_address contract(u32 which)
{
    kl_address address = {.b = {[0] = 0xaa, [19] = (u8)(0xc0 + which)}};
    return address;
}

void kl_lab_work_begin(struct kl_lab *lab)
{
    struct kl_lab_work *work = lab->work = kl_lab_memory(sizeof *work);
    for (u32 i = 0; i < ACCOUNTS; i++) {
        struct account *a = &work->account[i];
        kl_pubkey pubkey;
        a->secret.b[30] = 1;
        a->secret.b[31] = (u8)i;
        KL_ASSERT(kl_secp256k1_pubkey(&pubkey, &a->secret));
        a->address = kl_address_of_pubkey(&pubkey);
        for (u32 s = 0; s < OUTSTANDING; s++)
            kl_arena_init(&a->sent[s].arena, 1 << 20);
    }
}

void kl_lab_work_done(struct kl_lab *lab)
{
    if (!lab->work)
        return;
    for (u32 i = 0; i < ACCOUNTS; i++)
        for (u32 s = 0; s < OUTSTANDING; s++)
            kl_arena_done(&lab->work->account[i].sent[s].arena);
    free(lab->work);
    lab->work = NULL;
}

void kl_lab_work_alloc(struct kl_lab *lab, struct kl_buf *out)
{
    char text[43];
    for (u32 i = 0; i < ACCOUNTS; i++) {
        kl_address_text(text, &lab->work->account[i].address);
        kl_buf_print(out, "%s\"%s\":{\"balance\":\"0xd3c21bcecceda1000000\"}", i ? "," : "", text);
    }
    for (u32 i = 0; i < CONTRACTS; i++) {
        kl_address address = contract(i);
        kl_address_text(text, &address);
        kl_buf_print(out, ",\"%s\":{\"balance\":\"0x0\",\"code\":\"0x%s\"}", text, contracts[i]);
    }
}

/* What a transaction does is drawn; data has room for 64 bytes. */
static void draw(struct kl_lab *lab, kl_tx *tx, u8 *data)
{
    u64 kind = kl_lab_below(lab, CONTRACTS + 2);
    *tx = (kl_tx){
        .type = kl_lab_percent(lab, 80) ? KL_TX_DYNAMIC_FEE : KL_TX_LEGACY,
        .replay_safe = true,
        .chain_id = KL_LAB_CHAIN_ID,
        .gas_limit = 200000,
        .max_fee = kl_u256_of(50000000000),
        .max_priority_fee = kl_u256_of(1000000000 + kl_lab_below(lab, 1000)),
        .has_to = true,
    };
    if (tx->type == KL_TX_LEGACY)
        tx->max_priority_fee = tx->max_fee;
    if (kind < CONTRACTS) {
        tx->to = contract((u32)kind);
        memset(data, 0, 64);
        kl_store_be64(data + 24, kl_lab_below(lab, 200));
        kl_store_be64(data + 56, kl_lab_below(lab, 1000));
        tx->data = kl_span_of(data, kind == COUNTER ? 0 : 64);
    } else if (kind == CONTRACTS) {
        tx->to.b[0] = 0xbb;
        kl_store_be64(tx->to.b + 12, kl_lab_below(lab, 1000));
        tx->value = kl_u256_of(1 + kl_lab_below(lab, 1000000));
    } else { /* creates a contract of one byte, STOP */
        static const u8 init[] = {0x60, 0x01, 0x5f, 0xf3};
        tx->has_to = false;
        memcpy(data, init, sizeof init);
        tx->data = kl_span_of(data, sizeof init);
    }
}

static struct sent *sign(struct kl_lab *lab, struct account *a, kl_tx *fields)
{
    struct sent *sent = &a->sent[a->nonce % OUTSTANDING];
    kl_rule broken;
    fields->nonce = a->nonce++;
    kl_arena_reset(&sent->arena, SIZE_MAX);
    KL_ASSERT(kl_tx_sign(fields, &a->secret, &sent->arena) == KL_OK);
    kl_address sender = fields->sender;
    /* what is kept views the envelope, not our data */
    KL_ASSERT(kl_tx_decode(&sent->tx, fields->raw, KL_FORK_NEWEST, &sent->arena, &broken) == KL_OK);
    KL_ASSERT(broken == KL_RULE_NONE);
    sent->tx.sender = sender;
    sent->tx.has_sender = true;
    sent->at_views = lab->views;
    sent->kept = 0;
    return sent;
}

static struct sent *make(struct kl_lab *lab, struct account *a)
{
    u8 data[64];
    kl_tx fields;
    draw(lab, &fields, data);
    return sign(lab, a, &fields);
}

static void submit(struct kl_lab_machine *machine, struct sent *sent)
{
    kl_rule broken;
    sent->at_ns = machine->lab->now_ns;
    if (!machine->replica || machine->paused_ns > machine->lab->now_ns)
        return;
    kl_status status = kl_replica_submit(machine->replica, &sent->tx, false, &broken);
    kl_lab_tell(machine, "is sent a transaction: status #, rule #", (u64)status,
                status == KL_OK ? (u64)broken : 0, 0);
    if (status != KL_OK && !machine->broken)
        kl_lab_break(machine->lab, 0, "machine %u does not take a transaction: %s", machine->index,
                     kl_status_text(status));
    kl_lab_moved(machine);
}

static struct kl_lab_machine *somebody(struct kl_lab *lab)
{
    return lab->machines[kl_lab_below(lab, lab->count)];
}

/* Whether some machine of the core has promised to see to it. */
static bool is_kept(const struct kl_lab *lab, const struct sent *sent)
{
    for (u32 i = 0; i < lab->count; i++) {
        const struct kl_lab_machine *machine = lab->machines[i];
        if (!kl_lab_is_honest(machine) || machine->abandoned)
            continue;
        if (machine->replica
                ? kl_replica_own_of(machine->replica, &sent->tx.hash) == KL_REPLICA_OWN_DURABLE
                : sent->kept >> i & 1)
            return true;
    }
    return false;
}

static void send_again(struct kl_lab *lab, struct account *a)
{
    if (a->final == a->nonce ||
        a->sent[a->final % OUTSTANDING].at_ns + AGAIN_S * KL_S > lab->now_ns)
        return;
    struct kl_lab_machine *machine = somebody(lab);
    for (u64 n = a->final; n < a->nonce; n++)
        if (!is_kept(lab, &a->sent[n % OUTSTANDING]))
            submit(machine, &a->sent[n % OUTSTANDING]);
}

void kl_lab_work_crashes(struct kl_lab_machine *machine)
{
    struct kl_lab_work *work = machine->lab->work;
    u32 bit = 1u << machine->index;
    if (!machine->replica)
        return; /* who is being filled does nothing with what it keeps */
    for (u32 i = 0; i < ACCOUNTS; i++)
        for (u64 n = work->account[i].final; n < work->account[i].nonce; n++) {
            struct sent *sent = &work->account[i].sent[n % OUTSTANDING];
            bool keeps =
                kl_replica_own_of(machine->replica, &sent->tx.hash) == KL_REPLICA_OWN_DURABLE;
            sent->kept = keeps ? sent->kept | bit : sent->kept & ~bit;
        }
}

void kl_lab_work_forgets(struct kl_lab_machine *machine)
{
    struct kl_lab_work *work = machine->lab->work;
    for (u32 i = 0; i < ACCOUNTS; i++)
        for (u32 s = 0; s < OUTSTANDING; s++)
            work->account[i].sent[s].kept &= ~(1u << machine->index);
}

/* Whether a block in the machine's ledger holds it. */
static bool has_block(struct kl_lab_machine *machine, const kl_hash *hash)
{
    struct kl_reader *reader;
    u64 number;
    usize index;
    KL_ASSERT(kl_reader_open(kl_replica_chain(machine->replica), &reader) == KL_OK);
    kl_status status = kl_reader_tx(reader, hash, &number, &index);
    kl_reader_close(reader);
    return status == KL_OK;
}

void kl_lab_work_opened(struct kl_lab_machine *machine)
{
    struct kl_lab *lab = machine->lab;
    for (u32 i = 0; i < ACCOUNTS; i++) {
        const struct account *a = &lab->work->account[i];
        for (u64 n = a->final; n < a->nonce; n++) {
            const struct sent *sent = &a->sent[n % OUTSTANDING];
            if (!(sent->kept >> machine->index & 1))
                continue;
            kl_lab_saw(lab, KL_LAB_SAW_OWN_BACK);
            if (kl_replica_own_of(machine->replica, &sent->tx.hash) == KL_REPLICA_NOT_OWN &&
                !has_block(machine, &sent->tx.hash))
                kl_lab_break(lab, 0, "machine %u has forgotten a transaction of its user's",
                             machine->index);
        }
    }
}

void kl_lab_work_users(struct kl_lab *lab)
{
    u64 count = (lab->plan.transactions + kl_lab_below(lab, 100)) / 100;
    for (u64 i = 0; i < count && !lab->calm; i++) {
        struct account *a = &lab->work->account[kl_lab_below(lab, USERS)];
        if (a->nonce - a->final >= OUTSTANDING)
            continue;
        struct sent *tx = make(lab, a);
        submit(somebody(lab), tx);
    }
    for (u32 i = 0; i < ACCOUNTS; i++)
        if (i < USERS || i >= OPERATORS)
            send_again(lab, &lab->work->account[i]);
    kl_lab_govern(lab);
    const kl_lab_event event = {.kind = KL_LAB_USERS};
    kl_lab_post(lab, &event, lab->now_ns + 50 * KL_MS + kl_lab_below(lab, 400 * KL_MS));
}

kl_address kl_lab_work_operator(const struct kl_lab *lab, u32 validator)
{
    return lab->work->account[OPERATORS + validator].address;
}

void kl_lab_work_call(struct kl_lab *lab, u32 validator, const kl_address *to, kl_span data)
{
    struct account *a = &lab->work->account[OPERATORS + validator];
    kl_tx fields = {.type = KL_TX_DYNAMIC_FEE,
                    .replay_safe = true,
                    .chain_id = KL_LAB_CHAIN_ID,
                    .gas_limit = 2000000,
                    .max_fee = kl_u256_of(50000000000),
                    .max_priority_fee = kl_u256_of(2000000000),
                    .has_to = true,
                    .to = *to,
                    .data = data};
    submit(somebody(lab), sign(lab, a, &fields));
}

bool kl_lab_work_called(const struct kl_lab *lab, u32 validator, bool *went_well)
{
    const struct account *a = &lab->work->account[OPERATORS + validator];
    *went_well = a->went_well;
    return a->final == a->nonce;
}

void kl_lab_work_probe(struct kl_lab *lab)
{
    for (u32 i = 0; i < lab->count; i++) {
        struct kl_lab_machine *machine = lab->machines[i];
        if (machine->replica && machine->validator != KL_BFT_NOBODY && kl_lab_is_honest(machine))
            submit(machine, make(lab, &lab->work->account[USERS + i]));
    }
}

static struct account *account_of(struct kl_lab *lab, const kl_address *address)
{
    for (u32 i = 0; i < ACCOUNTS; i++)
        if (kl_address_eq(&lab->work->account[i].address, address))
            return &lab->work->account[i];
    return NULL;
}

void kl_lab_work_final(struct kl_lab *lab, const kl_stored_block *block)
{
    for (usize i = 0; i < block->block.tx_count; i++) {
        const kl_tx *tx = &block->block.txs[i];
        struct account *a = account_of(lab, &tx->sender);
        lab->result->transactions++;
        kl_lab_saw(lab, KL_LAB_SAW_TRANSACTION);
        if (!block->receipts[i].success)
            kl_lab_saw(lab, KL_LAB_SAW_FAILED_TRANSACTION);
        bool known = a && tx->nonce >= a->final && tx->nonce < a->nonce &&
                     kl_hash_eq(&a->sent[tx->nonce % OUTSTANDING].tx.hash, &tx->hash);
        if (!known || tx->nonce != a->final)
            kl_lab_break(lab, 9, "height %llu has a transaction with nonce %llu that %s",
                         (unsigned long long)block->block.header.number,
                         (unsigned long long)tx->nonce, known ? "leaves a gap" : "nobody has sent");
        if (known) {
            a->final = tx->nonce + 1;
            a->went_well = block->receipts[i].success;
        }
    }
}

u32 kl_lab_work_outstanding(const struct kl_lab *lab)
{
    u64 sum = 0;
    for (u32 i = 0; i < ACCOUNTS; i++)
        sum += lab->work->account[i].nonce - lab->work->account[i].final;
    return (u32)sum;
}

u64 kl_lab_work_probe_age(const struct kl_lab *lab)
{
    u64 age = 0;
    for (u32 i = USERS; i < OPERATORS; i++) {
        const struct account *a = &lab->work->account[i];
        if (a->final < a->nonce)
            age = KL_MAX(age, lab->views - a->sent[a->final % OUTSTANDING].at_views);
    }
    return age;
}
