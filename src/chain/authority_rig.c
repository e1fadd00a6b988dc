#include "chain/authority_rig_priv.h"

#include "crypto/bls_sign.h"

static authority_rig *of(struct kl_state_reader *reader)
{
    return (authority_rig *)reader;
}

static kl_status read_account(KL_UNUSED struct kl_state_reader *reader, const kl_address *address,
                              KL_UNUSED const kl_hash *address_hash, kl_account *out, bool *exists)
{
    *out = kl_account_none();
    *exists = kl_address_eq(address, &kl_authority_address);
    if (*exists) {
        out->nonce = 1;
        out->code_hash = kl_keccak256(kl_authority_code_span());
        out->storage_root = (kl_hash){{1}}; /* any but that of no storage */
    }
    return KL_OK;
}

static struct rig_slot *find_slot(authority_rig *rig, const kl_hash *key_hash)
{
    for (usize i = 0; i < rig->slot_count; i++)
        if (kl_hash_eq(&rig->slots[i].key_hash, key_hash))
            return &rig->slots[i];
    return NULL;
}

static kl_status read_slot(struct kl_state_reader *reader, KL_UNUSED const kl_hash *address_hash,
                           const kl_hash *slot_hash, kl_u256 *out)
{
    const struct rig_slot *slot = find_slot(of(reader), slot_hash);
    *out = slot ? slot->value : KL_U256_ZERO;
    return KL_OK;
}

static kl_status read_code(KL_UNUSED struct kl_state_reader *reader,
                           KL_UNUSED const kl_hash *code_hash, kl_span *out)
{
    *out = kl_authority_code_span();
    return KL_OK;
}

static kl_status block_hash(struct kl_block_hashes *hashes, u64 number, kl_hash *out)
{
    const authority_rig *rig = ((struct rig_hashes *)hashes)->rig;
    *out = number == 0 ? rig->domain.genesis_hash : (kl_hash){{(u8)number, 1}};
    return KL_OK;
}

static void put_slot(authority_rig *rig, const kl_hash *key_hash, const kl_u256 *value)
{
    struct rig_slot *slot = find_slot(rig, key_hash);
    if (!slot) {
        CHECK(rig->slot_count < RIG_SLOTS);
        slot = &rig->slots[rig->slot_count++];
        slot->key_hash = *key_hash;
    }
    slot->value = *value;
}

/* What the last block left behind becomes what the next one stands on. */
static void keep(authority_rig *rig)
{
    kl_jaccount *account;
    CHECK_OK(kl_journal_account(kl_exec_journal(rig->exec), &kl_authority_address, &account));
    for (const kl_jslot *s = account->first_slot; s; s = s->next)
        put_slot(rig, &s->key_hash, &s->current);
}

static void enter(authority_rig *rig)
{
    const kl_exec_block block = {.spec = &rig->spec,
                                 .header = &rig->header,
                                 .reader = &rig->reader,
                                 .hashes = &rig->hashes.hashes};
    CHECK_OK(kl_exec_enter(rig->exec, &block));
}

void rig_load(authority_rig *rig, const kl_alloc *account)
{
    rig->slot_count = 0;
    for (usize i = 0; i < account->slot_count; i++) {
        kl_hash key_hash = kl_keccak256(kl_hash_span(&account->keys[i]));
        put_slot(rig, &key_hash, &account->values[i]);
    }
    enter(rig);
}

void rig_rekey(authority_rig *rig, usize person, u64 *seed)
{
    kl_policy_entry *e = &rig->people[person];
    kl_secret32 *secret = &rig->secrets[person], randao;
    kl_rand_fill(seed, secret->b, sizeof secret->b);
    kl_rand_fill(seed, randao.b, sizeof randao.b);
    secret->b[0] &= 0x3f; /* below the order of every group */
    randao.b[0] &= 0x3f;
    CHECK(rig->scheme->public_key(e->validator.key, secret));
    CHECK(kl_randao_key(e->validator.randao_key, rig->scheme, &randao));
    if (rig->scheme->prove)
        CHECK(rig->scheme->prove(rig->proofs[person][0], secret));
    CHECK(kl_bls_prove(rig->proofs[person][1], &randao));
    e->key_proof = kl_span_of(rig->proofs[person][0], rig->scheme->proof_len);
    e->randao_proof = kl_span_of(rig->proofs[person][1], kl_randao_proof_len(rig->scheme));
}

void rig_init(authority_rig *rig, u8 scheme, kl_authority_mode mode, usize count, u64 *seed)
{
    memset(rig, 0, sizeof *rig);
    rig->reader = (struct kl_state_reader){read_account, read_slot, read_code};
    rig->hashes = (struct rig_hashes){{block_hash}, rig};
    kl_spec_init(&rig->spec, KL_FORK_NEWEST);
    rig->header = (kl_header){.number = 1,
                              .timestamp = 1000000,
                              .gas_limit = 60000000,
                              .tail = kl_header_tail(KL_FORK_NEWEST)};
    kl_rand_fill(seed, &rig->domain.genesis_hash, sizeof rig->domain.genesis_hash);
    rig->domain.chain_id = rig->spec.chain_id = 7000 + kl_rand_below(seed, 100);
    rig->scheme = kl_vote_scheme_of(scheme, true);
    kl_arena_init(&rig->arena, 64 << 20);
    const kl_exec_config config = {.evm_memory_limit = 64 << 20, .journal_memory_limit = 64 << 20};
    CHECK_OK(kl_exec_new(&rig->exec, &config));
    for (usize i = 0; i < RIG_PEOPLE; i++) {
        kl_rand_fill(seed, &rig->people[i].validator.operator, sizeof(kl_address));
        rig->people[i].validator.weight = 1;
        rig_rekey(rig, i, seed);
    }
    const kl_authority_genesis genesis = {rig->scheme, mode, rig->people, count};
    kl_alloc alloc;
    kl_rule broken;
    CHECK_OK(kl_authority_account(&alloc, &genesis, &rig->arena, &broken));
    CHECK_RULE(broken, KL_RULE_NONE);
    kl_authority_alarm alarm;
    rig_load(rig, &alloc);
    CHECK_OK(kl_authority_read(&rig->set, rig->exec, &kl_authority_address, NULL, 0, true,
                               &rig->arena, &alarm));
    CHECK(!kl_authority_failed(&alarm) && alarm.left_out == 0);
    rig->header.number = 0;
    rig_block(rig);
}

void rig_done(authority_rig *rig)
{
    kl_exec_free(rig->exec);
    kl_arena_done(&rig->arena);
}

void rig_block_of(authority_rig *rig, const kl_authority_block *block)
{
    bool done;
    keep(rig);
    rig->header.number++;
    rig->header.timestamp = block->time_ms / 1000;
    enter(rig);
    CHECK_OK(kl_authority_tell(rig->exec, &kl_authority_address, block, &done));
    CHECK(done);
}

void rig_undo(authority_rig *rig)
{
    enter(rig);
}

void rig_block(authority_rig *rig)
{
    rig->view++;
    u32 leader = kl_valset_leader(&rig->set, rig->epoch, rig->view);
    const kl_authority_block block = {.epoch = rig->epoch,
                                      .view = rig->view,
                                      .parent_view = rig->view - 1,
                                      .time_ms = (rig->header.timestamp + 1) * 1000,
                                      .leader = rig->set.validators[leader].operator,
                                      .set = rig->set.hash };
    rig_block_of(rig, &block);
}

void rig_epoch(authority_rig *rig)
{
    kl_valset next;
    kl_authority_alarm alarm;
    CHECK_OK(kl_authority_next_set(&next, rig->exec, &kl_authority_address, &rig->set, rig->epoch,
                                   true, &rig->arena, &alarm));
    CHECK(!kl_authority_failed(&alarm));
    rig->before = rig->set;
    rig->set = next;
    rig->epoch++;
    rig->view = 0;
    rig_block(rig);
}

static kl_tx_result call(authority_rig *rig, const kl_address *from, kl_span input)
{
    const kl_tx tx = {.type = KL_TX_LEGACY,
                      .has_to = true,
                      .to = kl_authority_address,
                      .has_sender = true,
                      .sender = *from,
                      .gas_limit = 50000000,
                      .data = input};
    const kl_call what = {.tx = &tx, .free = true};
    kl_tx_result result;
    kl_rule broken;
    CHECK_OK(kl_exec_call(rig->exec, &what, NULL, &result, &broken));
    CHECK_RULE(broken, KL_RULE_NONE);
    rig->gas_used = result.gas_used;
    return result;
}

kl_span rig_ok(authority_rig *rig, const kl_address *from, kl_span input)
{
    kl_tx_result result = call(rig, from, input);
    CHECK_U64(result.halt, KL_HALT_NONE);
    return result.output;
}

bool rig_goes(authority_rig *rig, const kl_address *from, kl_span input)
{
    return call(rig, from, input).halt == KL_HALT_NONE;
}

void rig_refused(authority_rig *rig, const kl_address *from, kl_span input, const char *error)
{
    kl_tx_result result = call(rig, from, input);
    kl_hash want = kl_keccak256(kl_span_str(error));
    CHECK_U64(result.halt, KL_HALT_REVERT);
    if (result.output.len < 4 || memcmp(result.output.p, want.b, 4) != 0)
        kl_test_fail(__FILE__, __LINE__, "reverts otherwise than with %s", error);
}

usize rig_events(authority_rig *rig, const char *signature)
{
    const kl_log_entry *logs;
    usize count, hits = 0;
    kl_hash want = kl_keccak256(kl_span_str(signature));
    kl_journal_logs(kl_exec_journal(rig->exec), &logs, &count);
    for (usize i = 0; i < count; i++)
        hits += logs[i].topic_count > 0 && kl_hash_eq(&logs[i].topics[0], &want);
    return hits;
}

static kl_out next_room(void)
{
    static u8 rooms[8][2048];
    static unsigned at;
    u8 *room = rooms[at++ % 8];
    return kl_out_of(room, sizeof rooms[0]);
}

kl_span rig_input(const char *function, usize count, const u64 *words)
{
    kl_out out = next_room();
    kl_authority_put_function(&out, function);
    for (usize i = 0; i < count; i++)
        kl_abi_put_u64(&out, words[i]);
    CHECK(!out.full);
    return kl_out_done(&out);
}

u64 rig_number(authority_rig *rig, const char *function)
{
    u64 number;
    kl_span output = rig_ok(rig, rig_operator(rig, 0), rig_input(function, 0, NULL));
    CHECK_RULE(kl_abi_u64(output, 0, &number), KL_RULE_NONE);
    return number;
}

kl_span rig_propose(authority_rig *rig, unsigned kind, usize target, u64 weight)
{
    kl_out out = next_room();
    kl_authority_put_function(&out, "propose(uint8,address,uint64)");
    kl_abi_put_u64(&out, kind);
    kl_abi_put_address(&out, rig_operator(rig, target));
    kl_abi_put_u64(&out, weight);
    return kl_out_done(&out);
}

kl_span rig_vote(u64 id, bool agreed)
{
    const u64 words[] = {id, agreed};
    return rig_input("vote(uint256,bool)", 2, words);
}

kl_span rig_ready(authority_rig *rig, usize person)
{
    kl_out out = next_room();
    kl_authority_put_ready(&out, &rig->people[person], rig->scheme);
    CHECK(!out.full);
    return kl_out_done(&out);
}

kl_span rig_report(kl_span evidence, const kl_valset *set)
{
    static u8 encoded[4096];
    kl_out out = next_room(), rlp = kl_out_of(encoded, sizeof encoded);
    kl_valset_encode(&rlp, set);
    const kl_span strings[3] = {evidence, kl_out_done(&rlp), KL_SPAN_NONE};
    u64 offset = KL_COUNT_OF(strings) * KL_ABI_WORD;
    kl_authority_put_function(&out, "report(bytes,bytes,bytes)");
    for (usize i = 0; i < KL_COUNT_OF(strings); i++) {
        kl_abi_put_u64(&out, offset);
        offset += kl_abi_bytes_len(strings[i].len);
    }
    for (usize i = 0; i < KL_COUNT_OF(strings); i++)
        kl_abi_put_bytes(&out, strings[i]);
    CHECK(!out.full && !rlp.full);
    return kl_out_done(&out);
}

u32 rig_place(const kl_valset *set, const kl_address *operator)
{
    for (u32 i = 0; i < set->count; i++)
        if (kl_address_eq(&set->validators[i].operator, operator))
            return i;
    return UINT32_MAX;
}

bool rig_validates(const authority_rig *rig, usize person)
{
    return rig_place(&rig->set, rig_operator(rig, person)) != UINT32_MAX;
}
