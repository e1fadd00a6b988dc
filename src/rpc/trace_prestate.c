/* prestateTracer: the accounts and slots a transaction looked at, as they were before it; or, as a
 * difference, what it changed of them and to what.
 *
 * A thing is looked up when an instruction names it, before that runs and for the first time, when
 * it is still as it was.  An instruction that then fails for want of gas or stack has not looked at
 * anything: what it added is hidden again. */
#include <stdlib.h>

#include "base/map.h"
#include "crypto/keccak.h"
#include "evm/opcode.h"
#include "rpc/trace_priv.h"

enum { BUCKETS = 4096 };

struct slot {
    struct account *account;
    kl_u256 key, value, after;
    bool hidden, in_pre, in_post;
    struct slot *next_of_account, *next_of_bucket;
};

/* An account as it is written: what is not there is left out. */
struct facts {
    bool has_balance, has_code, has_code_hash;
    kl_u256 balance;
    u64 nonce; /* 0 is left out */
    kl_span code;
    kl_hash code_hash;
};

struct account {
    kl_address address;
    struct facts before, after;
    bool empty, hidden, created, deleted, in_pre, in_post;
    struct slot *slots;
    usize slot_count;
    struct account *next, *next_of_bucket;
};

struct prestate {
    struct kl_rpc_tracer base;
    bool diff, no_code, no_storage, include_empty;
    struct account **account_buckets, *accounts;
    struct slot **slot_buckets;
    usize account_count;
    struct account *fresh_accounts[3]; /* added for the last instruction */
    usize fresh_account_count;
    struct slot *fresh_slot;
};

static struct prestate *of(struct kl_tracer *hooks)
{
    return (struct prestate *)(void *)hooks;
}

static struct kl_journal *journal_of(struct prestate *t)
{
    return kl_exec_journal(t->base.exec);
}

static struct account **account_bucket(struct prestate *t, const kl_address *address)
{
    u64 hash = kl_map_hash(address->b, sizeof address->b, t->base.call->config->seed);
    return &t->account_buckets[hash % BUCKETS];
}

/* What an account is now.  A journal that cannot say fails exec, too. */
static bool capture(struct prestate *t, const kl_address *address, struct facts *out)
{
    kl_jaccount *account;
    struct facts facts = {.has_balance = true};
    if (kl_journal_account(journal_of(t), address, &account) != KL_OK ||
        kl_journal_code(journal_of(t), account, &facts.code) != KL_OK)
        return false;
    facts.balance = account->now.balance;
    facts.nonce = account->now.nonce;
    facts.has_code = facts.has_code_hash = facts.code.len > 0;
    facts.code_hash = facts.code.len ? account->now.code_hash : kl_keccak_empty;
    *out = facts;
    return true;
}

static struct account *find_account(struct prestate *t, const kl_address *address)
{
    struct account *a = *account_bucket(t, address);
    while (a && !kl_address_eq(&a->address, address))
        a = a->next_of_bucket;
    return a;
}

static struct account *add_account(struct prestate *t, const kl_address *address)
{
    struct account *a = KL_ZERO(t->base.call->arena, struct account, 1);
    if (!a) {
        kl_rpc_tracer_full(&t->base);
        return NULL;
    }
    struct account **bucket = account_bucket(t, address);
    a->address = *address;
    a->next = t->accounts;
    a->next_of_bucket = *bucket;
    t->accounts = *bucket = a;
    t->account_count++;
    return a;
}

/* NULL when the tracer has come to its end. */
static struct account *look_up(struct prestate *t, const kl_address *address)
{
    struct account *a = find_account(t, address);
    if (a && !a->hidden)
        return a;
    if (!a && !(a = add_account(t, address)))
        return NULL;
    a->hidden = !capture(t, address, &a->before);
    a->empty = kl_u256_is_zero(a->before.balance) && !a->before.nonce && !a->before.code.len;
    if (t->fresh_account_count < KL_COUNT_OF(t->fresh_accounts))
        t->fresh_accounts[t->fresh_account_count++] = a;
    return a;
}

/* An account that is called, and whom it delegates to [EIP-7702]. */
static void look_up_callee(struct prestate *t, const kl_address *address)
{
    static const u8 designator[] = {0xef, 0x01, 0x00};
    struct account *a = look_up(t, address);
    kl_address target;
    if (!a || t->base.where.fork < KL_PRAGUE ||
        a->before.code.len != sizeof designator + sizeof target ||
        memcmp(a->before.code.p, designator, sizeof designator) != 0)
        return;
    memcpy(target.b, a->before.code.p + sizeof designator, sizeof target.b);
    (void)look_up(t, &target);
}

static struct slot **slot_bucket(struct prestate *t, const struct account *a, const kl_u256 *key)
{
    u64 seed = t->base.call->config->seed ^ (u64)(uintptr_t)a;
    return &t->slot_buckets[kl_map_hash(key, sizeof *key, seed) % BUCKETS];
}

static bool read_slot(struct prestate *t, const kl_address *address, const kl_u256 *key,
                      kl_u256 *out)
{
    kl_jaccount *account;
    kl_jslot *slot;
    bool cold;
    if (kl_journal_account(journal_of(t), address, &account) != KL_OK ||
        kl_journal_slot(journal_of(t), account, key, &slot, &cold) != KL_OK)
        return false;
    *out = slot->current;
    return true;
}

static void look_up_slot(struct prestate *t, const kl_address *address, const kl_u256 *key)
{
    struct account *a = t->no_storage ? NULL : look_up(t, address);
    if (!a)
        return;
    struct slot **bucket = slot_bucket(t, a, key), *s = *bucket;
    while (s && (s->account != a || !kl_u256_eq(s->key, *key)))
        s = s->next_of_bucket;
    if (s && !s->hidden)
        return;
    if (!s) {
        s = KL_ZERO(t->base.call->arena, struct slot, 1);
        if (!s) {
            kl_rpc_tracer_full(&t->base);
            return;
        }
        s->account = a;
        s->key = *key;
        s->next_of_bucket = *bucket;
        s->next_of_account = a->slots;
        *bucket = a->slots = s;
        a->slot_count++;
    }
    s->hidden = !read_slot(t, address, key, &s->value);
    t->fresh_slot = s;
}

static void destroys(struct prestate *t, const kl_address *address)
{
    struct account *a = look_up(t, address);
    if (a && (t->base.where.fork < KL_CANCUN || a->created)) /* [EIP-6780] */
        a->deleted = true;
}

static void on_step(struct kl_tracer *hooks, const kl_trace_step *step)
{
    struct prestate *t = of(hooks);
    usize have = step->stack_len;
    t->fresh_account_count = 0;
    t->fresh_slot = NULL;
    if (have == 0 || !kl_rpc_tracer_goes_on(&t->base))
        return;
    const kl_u256 *top = step->stack + have - 1;
    kl_address named = kl_u256_to_address(*top);
    u8 op = step->op;
    if (op == KL_OP_SLOAD || op == KL_OP_SSTORE) {
        look_up_slot(t, step->address, top);
    } else if (op == KL_OP_BALANCE || op == KL_OP_EXTCODESIZE || op == KL_OP_EXTCODECOPY ||
               op == KL_OP_EXTCODEHASH || op == KL_OP_SELFDESTRUCT) {
        (void)look_up(t, &named);
        if (op == KL_OP_SELFDESTRUCT)
            destroys(t, step->address);
    } else if (have >= 5 && (op == KL_OP_CALL || op == KL_OP_CALLCODE || op == KL_OP_DELEGATECALL ||
                             op == KL_OP_STATICCALL)) {
        named = kl_u256_to_address(top[-1]);
        look_up_callee(t, &named);
    }
}

static void on_fault(struct kl_tracer *hooks, const kl_trace_step *step, int halt)
{
    struct prestate *t = of(hooks);
    (void)step;
    if (!kl_halt_comes_first(halt))
        return;
    for (usize i = 0; i < t->fresh_account_count; i++)
        t->fresh_accounts[i]->hidden = true;
    if (t->fresh_slot)
        t->fresh_slot->hidden = true;
}

static void on_enter(struct kl_tracer *hooks, const kl_trace_call *call)
{
    struct prestate *t = of(hooks);
    if ((call->kind != KL_CREATE && call->kind != KL_CREATE2) || !kl_rpc_tracer_goes_on(&t->base))
        return;
    struct account *a = look_up(t, &call->to);
    if (a)
        a->created = true;
}

/* Sender, receiver, who gets the fees, and who authorizes, before any of it. */
static void begin(struct kl_rpc_tracer *tracer)
{
    struct prestate *t = of(&tracer->hooks);
    const kl_tx *tx = tracer->where.tx;
    if (tx->has_to)
        look_up_callee(t, &tx->to);
    (void)look_up(t, &tx->sender);
    (void)look_up(t, &tracer->where.coinbase);
    for (usize i = 0; i < tx->authorization_count; i++)
        if (tx->authorizations[i].has_authority)
            (void)look_up(t, &tx->authorizations[i].authority);
    t->fresh_account_count = 0;
}

/* What became of a slot; true when it changed. */
static bool compare_slot(struct prestate *t, struct slot *s)
{
    if (!read_slot(t, &s->account->address, &s->key, &s->after))
        s->after = s->value;
    bool changed = !kl_u256_eq(s->value, s->after);
    s->in_pre = changed && !kl_u256_is_zero(s->value);
    s->in_post = changed && !kl_u256_is_zero(s->after);
    return changed;
}

/* What became of an account: only what changed is left in `after`. */
static void compare_account(struct prestate *t, struct account *a)
{
    const struct facts *before = &a->before;
    struct facts *after = &a->after;
    if (!capture(t, &a->address, after))
        *after = *before;
    after->has_balance = !kl_u256_eq(after->balance, before->balance);
    after->has_code_hash = !kl_hash_eq(&after->code_hash, &before->code_hash);
    after->has_code = after->has_code_hash && !t->no_code;
    bool changed = after->has_balance || after->has_code_hash || after->nonce != before->nonce;
    if (after->nonce == before->nonce)
        after->nonce = 0;
    for (struct slot *s = a->slots; s; s = s->next_of_account)
        changed |= !s->hidden && compare_slot(t, s);
    a->in_post = changed;
    a->in_pre = changed && !a->empty;
}

/* Decides what is written of an account. */
static void settle(struct prestate *t, struct account *a)
{
    a->before.has_code &= !t->no_code;
    if (a->hidden)
        return;
    if (t->diff && !a->deleted) {
        compare_account(t, a);
        return;
    }
    a->in_pre = !a->empty || t->include_empty;
    for (struct slot *s = a->slots; s; s = s->next_of_account)
        s->in_pre = !s->hidden;
}

static void put_facts(struct kl_json_out *out, const struct facts *f)
{
    if (f->has_balance) {
        kl_json_add_quantity_u256(out, "balance", f->balance);
    }
    if (f->has_code) {
        kl_json_add_data(out, "code", f->code);
    }
    if (f->has_code_hash) {
        kl_json_add_hash(out, "codeHash", &f->code_hash);
    }
    if (f->nonce) {
        kl_json_add_number(out, "nonce", f->nonce);
    }
}

static int compare_keys(const void *left, const void *right)
{
    const struct slot *const *a = left, *const *b = right;
    return kl_u256_lt((*a)->key, (*b)->key) ? -1 : kl_u256_lt((*b)->key, (*a)->key);
}

static void put_slots(struct prestate *t, const struct account *a, bool post)
{
    struct kl_json_out *out = t->base.call->out;
    usize count = 0;
    struct slot **sorted = KL_TAKE(t->base.call->arena, struct slot *, a->slot_count);
    if (!sorted) {
        kl_rpc_tracer_full(&t->base);
        return;
    }
    for (struct slot *s = a->slots; s; s = s->next_of_account)
        if (post ? s->in_post : s->in_pre)
            sorted[count++] = s;
    if (count == 0)
        return;
    qsort(sorted, count, sizeof *sorted, compare_keys);
    kl_json_put_key(out, "storage");
    kl_json_put_object(out);
    for (usize i = 0; i < count; i++) {
        kl_hash value = kl_u256_to_hash(post ? sorted[i]->after : sorted[i]->value);
        kl_hash key = kl_u256_to_hash(sorted[i]->key);
        kl_trace_put_key(out, kl_hash_span(&key));
        kl_json_put_hash(out, &value);
    }
    kl_json_put_object_end(out);
}

static void put_state(struct prestate *t, struct account *const *sorted, usize count, bool post)
{
    struct kl_json_out *out = t->base.call->out;
    kl_json_put_object(out);
    for (usize i = 0; i < count; i++) {
        const struct account *a = sorted[i];
        if (!(post ? a->in_post : a->in_pre))
            continue;
        kl_trace_put_key(out, kl_address_span(&a->address));
        kl_json_put_object(out);
        put_facts(out, post ? &a->after : &a->before);
        if (a->slots)
            put_slots(t, a, post);
        kl_json_put_object_end(out);
    }
    kl_json_put_object_end(out);
}

static int compare_addresses(const void *left, const void *right)
{
    const struct account *const *a = left, *const *b = right;
    return memcmp((*a)->address.b, (*b)->address.b, sizeof(*a)->address.b);
}

static void end(struct kl_rpc_tracer *tracer, const kl_tx_result *result)
{
    struct prestate *t = of(&tracer->hooks);
    struct kl_json_out *out = tracer->call->out;
    usize count = 0;
    struct account **sorted = KL_TAKE(tracer->call->arena, struct account *, t->account_count);
    (void)result;
    if (!sorted) {
        kl_rpc_tracer_full(tracer);
        return;
    }
    for (struct account *a = t->accounts; a; a = a->next) {
        settle(t, a);
        sorted[count++] = a;
    }
    qsort(sorted, count, sizeof *sorted, compare_addresses);
    if (!t->diff) {
        put_state(t, sorted, count, false);
        return;
    }
    kl_json_put_object(out);
    kl_json_put_key(out, "post");
    put_state(t, sorted, count, true);
    kl_json_put_key(out, "pre");
    put_state(t, sorted, count, false);
    kl_json_put_object_end(out);
}

static struct kl_rpc_tracer *make(struct kl_rpc_call *call, kl_arg options)
{
    struct prestate *t = kl_rpc_tracer_take(call, sizeof *t);
    if (!t || !kl_arg_trace_flag(call, options, "diffMode", &t->diff) ||
        !kl_arg_trace_flag(call, options, "disableCode", &t->no_code) ||
        !kl_arg_trace_flag(call, options, "disableStorage", &t->no_storage) ||
        !kl_arg_trace_flag(call, options, "includeEmpty", &t->include_empty))
        return NULL;
    if (t->diff && t->include_empty) {
        kl_rpc_fail(call, KL_RPC_PARAMS, "cannot use diffMode with includeEmpty");
        return NULL;
    }
    t->account_buckets = KL_ZERO(call->arena, struct account *, BUCKETS);
    t->slot_buckets = KL_ZERO(call->arena, struct slot *, BUCKETS);
    if (!kl_rpc_ok(call, t->account_buckets && t->slot_buckets ? KL_OK : KL_NOMEM))
        return NULL;
    t->base.hooks = (struct kl_tracer){.step = on_step, .fault = on_fault, .enter = on_enter};
    return &t->base;
}

const kl_rpc_tracer_kind kl_tracer_prestate = {
    .name = "prestateTracer", .make = make, .begin = begin, .end = end};
