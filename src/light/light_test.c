#include "base/test.h"
#include "codec/rlp.h"
#include "crypto/keccak.h"
#include "light/light_rig_priv.h"

static const u8 schemes[] = {KL_SCHEME_SECP256K1, KL_SCHEME_BLS12_381};

/* Where a bundle is judged from: the genesis, or a checkpoint. */
struct anchor {
    const kl_light_checkpoint *checkpoint; /* or NULL */
    const kl_hash *genesis_hash;
};

static struct kl_light light;

static kl_light_fault judge(const kl_light_bundle *bundle, const struct anchor *from,
                            kl_light_result *out, struct kl_arena *arena)
{
    kl_light_fault fault = {0};
    if (from->checkpoint)
        CHECK_OK(kl_light_resume(&light, from->checkpoint, arena, &fault.rule));
    else
        CHECK_OK(kl_light_bundle_start(&light, bundle, NULL, from->genesis_hash, arena, &fault));
    if (fault.rule == KL_RULE_NONE)
        CHECK_OK(kl_light_bundle_judge(&light, out, bundle, arena, &fault));
    return fault;
}

static kl_light_fault judge_text(kl_span text, const struct anchor *from, kl_light_result *out,
                                 struct kl_arena *arena)
{
    struct kl_json json;
    kl_light_fault fault = {0};
    kl_light_bundle bundle;
    usize at;
    CHECK_OK(kl_json_parse(&json, text, 1 << 20, arena, &fault.rule, &at));
    CHECK_RULE(fault.rule, KL_RULE_NONE);
    CHECK_OK(kl_light_bundle_read(&bundle, &json, 0, arena, &fault));
    return fault.rule == KL_RULE_NONE ? judge(&bundle, from, out, arena) : fault;
}

/* A bundle of the rig and where it is to be judged from. */
static usize make(light_rig *rig, kl_light_bundle *bundle, struct anchor *from,
                  kl_light_checkpoint *checkpoint, u64 *number, u64 *seed)
{
    usize epoch = kl_rand_below(seed, rig->epoch_count);
    *from = (struct anchor){NULL, &rig->domain.genesis_hash};
    if (epoch) {
        *checkpoint = light_rig_checkpoint(rig, epoch);
        from->checkpoint = checkpoint;
    }
    return light_rig_make(rig, bundle, number, epoch, seed);
}

static void check_good(light_rig *rig, u64 *seed)
{
    kl_light_bundle bundle;
    kl_light_checkpoint checkpoint;
    kl_light_result result;
    struct anchor from;
    struct kl_buf text;
    u64 number;
    make(rig, &bundle, &from, &checkpoint, &number, seed);
    const rig_style style = {
        .upper = kl_rand(seed) & 1, .padded = kl_rand(seed) & 1, .extra = kl_rand(seed) & 1};
    kl_buf_init(&text, SIZE_MAX / 2);
    light_rig_write(&text, &bundle, &style);
    kl_light_fault fault = judge_text(kl_buf_view(&text), &from, &result, &rig->arena);
    kl_buf_done(&text);
    CHECK_RULE(fault.rule, KL_RULE_NONE);
    const rig_block *block = &rig->blocks[number], *final = block;
    CHECK(kl_hash_eq(&result.block.hash, &block->hash));
    CHECK(kl_hash_eq(&result.block.header.state_root, &block->header.state_root));
    CHECK(result.account_exists == (bundle.has_account && bundle.account.claim.nonce != 0));
    CHECK(result.block.is_signed == (bundle.finality.finalization.len != 0));
    if (!result.block.is_signed)
        return;
    while (final->finalization.len == 0)
        final++;
    CHECK_U64(result.block.final_number, final->header.number);
    CHECK_U64(result.block.time_ms, final->consensus.time_ms);
    CHECK_U64(result.block.view, final->proposal.view);
    CHECK_U64(light.epoch, final->consensus.epoch);
    CHECK_U64(light.number, final->header.number);
    CHECK(result.block.weight >= kl_valset_quorum(&light.set));
}

KL_TEST(light_good_bundles_hold)
{
    for (int i = 0; i < 40; i++) {
        light_rig *rig = light_rig_new(schemes[i % 8 == 7], seed);
        for (int j = 0; j < (i % 8 == 7 ? 5 : 20); j++)
            check_good(rig, seed);
        light_rig_free(rig);
    }
}

/* What a campaign has met: each kind of corruption, and each rule of light's. */
struct met {
    usize rules[KL_RULE_COUNT], kinds[64];
};

/* The name of what is still to be met; NULL for nothing. */
static const char *unmet(const struct met *met)
{
    for (usize j = 0; j < light_corruption_count; j++)
        if (met->kinds[j] == 0)
            return light_corruptions[j].name;
    for (kl_rule rule = KL_RULE_LIGHT_ANCHOR; rule < KL_RULE_LIGHT_MEMBER; rule++)
        if (met->rules[rule] == 0)
            return kl_rule_name(rule);
    return NULL;
}

static void check_corrupt(light_rig *rig, usize kind, struct met *met, u64 *seed)
{
    kl_light_bundle bundle;
    kl_light_checkpoint checkpoint;
    kl_light_result result;
    struct anchor from;
    u64 number;
    usize first = make(rig, &bundle, &from, &checkpoint, &number, seed);
    kl_light_bundle was = bundle;
    if (!light_corruptions[kind].run(rig, &bundle, first, seed))
        return;
    kl_light_fault fault = judge(&bundle, &from, &result, &rig->arena);
    if (fault.rule == KL_RULE_NONE)
        kl_test_fail(__FILE__, __LINE__, "believed: %s", light_corruptions[kind].name);
    CHECK(fault.where[0]);
    met->rules[fault.rule]++;
    met->kinds[kind]++;
    CHECK_RULE(judge(&was, &from, &result, &rig->arena).rule, KL_RULE_NONE);
}

KL_TEST(light_corrupt_bundles_fall)
{
    struct met met = {0};
    CHECK(light_corruption_count <= KL_COUNT_OF(met.kinds));
    for (int i = 0; i < 60 || unmet(&met); i++) {
        light_rig *rig = light_rig_new(schemes[i % 12 == 11], seed);
        for (usize kind = 0; kind < light_corruption_count; kind++)
            check_corrupt(rig, kind, &met, seed);
        light_rig_free(rig);
        if (i == 1000)
            kl_test_fail(__FILE__, __LINE__, "never met: %s", unmet(&met));
    }
}

KL_TEST(light_spoiled_values_are_refused)
{
    for (int i = 0; i < 10; i++) {
        light_rig *rig = light_rig_new(KL_SCHEME_SECP256K1, seed);
        kl_light_bundle bundle;
        kl_light_checkpoint checkpoint;
        kl_light_result result;
        struct anchor from;
        u64 number;
        make(rig, &bundle, &from, &checkpoint, &number, seed);
        usize values = 1;
        for (usize at = 1; at <= values; at++) {
            struct kl_buf text;
            rig_style style = {.spoil = at, .how = (unsigned)kl_rand_below(seed, 12)};
            kl_buf_init(&text, SIZE_MAX / 2);
            values = light_rig_write(&text, &bundle, &style);
            kl_light_fault fault = judge_text(kl_buf_view(&text), &from, &result, &rig->arena);
            kl_buf_done(&text);
            CHECK(fault.rule != KL_RULE_NONE && fault.where[0]);
        }
        light_rig_free(rig);
    }
}

/* What is trusted afterwards is a place to go on from. */
KL_TEST(light_checkpoints_go_on)
{
    for (int i = 0; i < 20; i++) {
        light_rig *rig = light_rig_new(schemes[i % 10 == 9], seed);
        struct kl_buf text;
        struct kl_json json;
        kl_light_bundle bundle;
        kl_light_checkpoint checkpoint;
        kl_light_result result;
        kl_light_fault fault;
        usize at;
        u64 low = kl_rand_below(seed, rig->head + 1);
        light_rig_bundle(rig, &bundle, low, 0);
        struct anchor from = {NULL, &rig->domain.genesis_hash};
        CHECK_RULE(judge(&bundle, &from, &result, &rig->arena).rule, KL_RULE_NONE);
        kl_buf_init(&text, SIZE_MAX / 2);
        struct kl_json_out out = kl_json_out_to(&text);
        CHECK_OK(kl_light_checkpoint_put(&out, &light, &rig->arena));
        CHECK_OK(kl_json_parse(&json, kl_buf_view(&text), 100, &rig->arena, &fault.rule, &at));
        CHECK_OK(kl_light_checkpoint_read(&checkpoint, &json, 0, &rig->arena, &fault));
        CHECK_RULE(fault.rule, KL_RULE_NONE);
        from.checkpoint = &checkpoint;
        kl_buf_done(&text);

        /* The epoch's end may be the very block that is trusted. */
        light_rig_bundle(rig, &bundle, rig->head, kl_rand(seed) & 1 ? light.epoch : 0);
        CHECK_RULE(judge(&bundle, &from, &result, &rig->arena).rule, KL_RULE_NONE);
        CHECK(kl_hash_eq(&light.hash, &rig->blocks[rig->head].hash));

        /* Below it, headers up to the trusted block do, and a Finalization does not. */
        if (low > 0 && checkpoint.number > low) {
            kl_span headers[RIG_BLOCKS];
            usize count = 0;
            for (u64 n = low; n <= checkpoint.number; n++)
                headers[count++] = rig->blocks[n].rlp;
            bundle.epoch_count = 0;
            bundle.finality = (kl_light_finality){headers, count, KL_SPAN_NONE, KL_SPAN_NONE};
            CHECK_RULE(judge(&bundle, &from, &result, &rig->arena).rule, KL_RULE_NONE);
            CHECK(!result.block.is_signed &&
                  kl_hash_eq(&result.block.hash, &rig->blocks[low].hash));
        }
        light_rig_free(rig);
    }
}

KL_TEST(light_genesis_alone)
{
    light_rig *rig = light_rig_new(KL_SCHEME_SECP256K1, seed);
    kl_light_bundle bundle;
    kl_light_result result;
    struct anchor from = {NULL, &rig->domain.genesis_hash};
    rig->head = 0;
    light_rig_bundle(rig, &bundle, 0, 0);
    light_rig_account(rig, &bundle, 0, seed);
    CHECK_RULE(judge(&bundle, &from, &result, &rig->arena).rule, KL_RULE_NONE);
    CHECK(!result.block.is_signed && kl_hash_eq(&result.block.hash, from.genesis_hash));
    bundle.has_genesis = false;
    kl_light_fault fault = judge(&bundle, &from, &result, &rig->arena);
    CHECK_RULE(fault.rule, KL_RULE_LIGHT_MEMBER);
    light_rig_free(rig);
}

static kl_rule start(light_rig *rig, kl_header header, const kl_consensus_header *consensus)
{
    kl_rule broken;
    kl_light_genesis genesis = {.consensus_header = light_rig_consensus(rig, consensus),
                                .validators = rig->epochs[0].rlp};
    kl_hash hash = kl_keccak256(genesis.consensus_header);
    memcpy(header.extra_data, hash.b, sizeof hash.b);
    genesis.header = light_rig_header(rig, &header);
    const kl_vote_domain domain = {1, kl_keccak256(genesis.header)};
    CHECK_OK(kl_light_start(&light, &domain, &genesis, &rig->arena, &broken));
    return broken;
}

/* Neither a block above 0, nor one whose consensus header could be a later block's. */
KL_TEST(light_genesis_is_one)
{
    light_rig *rig = light_rig_new(KL_SCHEME_SECP256K1, seed);
    kl_header header = rig->blocks[0].header;
    kl_consensus_header later = rig->blocks[1].consensus;
    later.next_set_hash = rig->epochs[0].set.hash;
    CHECK_RULE(start(rig, header, &rig->blocks[0].consensus), KL_RULE_NONE);
    CHECK_RULE(start(rig, header, &later), KL_RULE_LIGHT_GENESIS);
    header.number = 1;
    CHECK_RULE(start(rig, header, &rig->blocks[0].consensus), KL_RULE_LIGHT_GENESIS);
    light_rig_free(rig);
}

KL_TEST(light_writer_says_what_is_not_there)
{
    light_rig *rig = light_rig_new(KL_SCHEME_SECP256K1, seed);
    struct kl_light_source *source = &rig->source;
    struct kl_buf text;
    kl_buf_init(&text, SIZE_MAX / 2);
    struct kl_json_out out = kl_json_out_to(&text);
    kl_json_put_object(&out);
    CHECK(kl_light_bundle_put(&out, source, rig->head + 1, 0, 9, &rig->arena) == KL_NOTFOUND);
    CHECK(text.len == 1);
    rig->blocks[rig->head].finalization = KL_SPAN_NONE;
    CHECK(kl_light_bundle_put(&out, source, rig->head, 0, 9, &rig->arena) == KL_NOTFOUND);
    do { /* another, whose head is final */
        light_rig_free(rig);
        rig = light_rig_new(KL_SCHEME_SECP256K1, seed);
        source = &rig->source;
    } while (rig->epoch_count < 2);
    CHECK(kl_light_bundle_put(&out, source, rig->epochs[0].last + 1, 0, 0, &rig->arena) ==
          (rig->head > rig->epochs[0].last ? KL_LIMIT : KL_NOTFOUND));
    kl_buf_done(&text);
    light_rig_free(rig);
}

/* Memory that runs out is a status, never another verdict. */
KL_TEST(light_memory_runs_out)
{
    light_rig *rig = light_rig_new(KL_SCHEME_SECP256K1, seed);
    kl_light_bundle bundle, read;
    kl_light_fault fault;
    struct kl_json json;
    struct kl_buf text;
    kl_rule broken;
    usize at;
    const rig_style style = {0};
    light_rig_bundle(rig, &bundle, rig->head, 0);
    light_rig_account(rig, &bundle, rig->head, seed);
    kl_buf_init(&text, SIZE_MAX / 2);
    light_rig_write(&text, &bundle, &style);
    CHECK_OK(kl_json_parse(&json, kl_buf_view(&text), 1 << 20, &rig->arena, &broken, &at));
    kl_status status = KL_NOMEM;
    for (usize limit = 0; status == KL_NOMEM; limit += 4096) {
        struct kl_arena small;
        kl_arena_init(&small, limit);
        status = kl_light_bundle_read(&read, &json, 0, &small, &fault);
        CHECK_RULE(fault.rule, KL_RULE_NONE);
        kl_arena_done(&small);
    }
    CHECK_OK(status);
    struct kl_arena none;
    kl_arena_init(&none, 0);
    CHECK(kl_light_bundle_start(&light, &bundle, NULL, &rig->domain.genesis_hash, &none, &fault) ==
          KL_NOMEM);
    kl_arena_done(&none);
    kl_buf_done(&text);
    light_rig_free(rig);
}

/* A trie of one leaf. */
static kl_span one_leaf(u8 room[256], kl_hash *root, kl_span key, kl_span value)
{
    kl_hash hash = kl_keccak256(key);
    u8 prefix[33] = {0x20};
    memcpy(prefix + 1, hash.b, sizeof hash.b);
    kl_out out = kl_out_of(room, 256);
    kl_rlp_mark list = kl_rlp_put_begin(&out);
    kl_rlp_put_bytes(&out, KL_SPAN_OF(prefix));
    kl_rlp_put_bytes(&out, value);
    kl_rlp_put_end(&out, list);
    *root = kl_keccak256(kl_out_done(&out));
    return kl_out_done(&out);
}

/* What no honest state holds is not believed even where a trie proves it. */
KL_TEST(light_leaves_that_are_nothing)
{
    static const struct {
        const char *leaf;
        u64 value;
        kl_rule rule;
    } slots[] = {
        {"05", 5, KL_RULE_NONE},        {"05", 6, KL_RULE_LIGHT_SLOT},
        {"8180", 128, KL_RULE_NONE},    {"80", 0, KL_RULE_LIGHT_SLOT},
        {"00", 0, KL_RULE_RLP_INTEGER}, {"0102", 1, KL_RULE_LIGHT_SLOT},
        {"c105", 5, KL_RULE_RLP_KIND},
    };
    kl_light_account account = {.claim = kl_account_none()};
    kl_hash root;
    usize at;
    bool exists;
    u8 room[256], slot_room[256], encoded[KL_ACCOUNT_RLP_MAX];
    kl_span key = KL_SPAN_OF(account.address);
    for (usize i = 0; i < KL_COUNT_OF(slots); i++) {
        static const u8 zero[32];
        kl_hash *storage = &account.claim.storage_root;
        kl_span node = one_leaf(slot_room, storage, KL_SPAN_OF(zero), kl_test_hex(slots[i].leaf));
        kl_light_slot slot = {.value = kl_u256_of(slots[i].value), .nodes = &node, .node_count = 1};
        kl_out out = kl_out_of(encoded, sizeof encoded);
        kl_account_encode(&out, &account.claim);
        kl_span top = one_leaf(room, &root, key, kl_out_done(&out));
        account.nodes = &top;
        account.node_count = account.slot_count = 1;
        account.slots = &slot;
        CHECK_RULE(kl_light_prove(&exists, &account, &root, &at), slots[i].rule);
        CHECK(slots[i].rule != KL_RULE_NONE ? at == 0 : exists);
    }
    kl_span top = one_leaf(room, &root, key, kl_test_hex("c20105"));
    account.nodes = &top;
    account.slot_count = 0;
    CHECK_RULE(kl_light_prove(&exists, &account, &root, &at), KL_RULE_RLP_COUNT);
}
