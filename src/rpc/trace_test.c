/* Tracers, over a machine with a handful of contracts: what is written is geth's shape. */
#include "rpc/trace_priv.h"

#include "crypto/keccak.h"
#include "rpc/param_rig_priv.h"

enum { CONTRACTS = 4 };

/* Contract i lives at 0x…0c0i and has the i-th code; the sender is 0x…ff. */
struct trace_rig {
    struct param_rig params;
    struct kl_state_reader reader;
    struct kl_block_hashes hashes;
    struct kl_clock clock;
    u64 now_ns;
    kl_span codes[CONTRACTS];
    kl_hash code_hashes[CONTRACTS];
    kl_spec spec;
    kl_header header;
    struct kl_exec *exec;
    struct kl_buf out;
    struct kl_json_out json;
    kl_tx_result result;
    u64 gas;
};

static struct trace_rig *of(struct kl_state_reader *reader)
{
    return (struct trace_rig *)(void *)((u8 *)reader - offsetof(struct trace_rig, reader));
}

static kl_status read_account(struct kl_state_reader *reader, const kl_address *address,
                              const kl_hash *address_hash, kl_account *out, bool *exists)
{
    u8 i = address->b[19];
    (void)address_hash;
    *out = kl_account_none();
    bool contract = address->b[18] == 0x0c && i < CONTRACTS && of(reader)->codes[i].len;
    *exists = contract || i == 0xff;
    if (!*exists)
        return KL_OK;
    out->balance = kl_u256_of(1000);
    if (contract) {
        out->code_hash = of(reader)->code_hashes[i];
        out->storage_root = (kl_hash){{1}}; /* any but that of no storage */
    }
    return KL_OK;
}

/* Slot 1 of everybody holds 9. */
static kl_status read_slot(struct kl_state_reader *reader, const kl_hash *address_hash,
                           const kl_hash *slot_hash, kl_u256 *out)
{
    kl_hash one = kl_u256_to_hash(KL_U256_ONE), hash = kl_keccak256(kl_hash_span(&one));
    (void)reader, (void)address_hash;
    *out = kl_hash_eq(slot_hash, &hash) ? kl_u256_of(9) : KL_U256_ZERO;
    return KL_OK;
}

static kl_status read_code(struct kl_state_reader *reader, const kl_hash *code_hash, kl_span *out)
{
    for (usize i = 0; i < CONTRACTS; i++)
        if (of(reader)->codes[i].len && kl_hash_eq(&of(reader)->code_hashes[i], code_hash)) {
            *out = of(reader)->codes[i];
            return KL_OK;
        }
    return KL_CORRUPT;
}

static kl_status no_hash(struct kl_block_hashes *hashes, u64 number, kl_hash *out)
{
    (void)hashes, (void)number;
    *out = (kl_hash){0};
    return KL_OK;
}

/* A clock on which every look takes a second. */
static u64 tick(struct kl_clock *clock)
{
    struct trace_rig *rig =
        (struct trace_rig *)(void *)((u8 *)clock - offsetof(struct trace_rig, clock));
    return rig->now_ns += 1000000000;
}

static void rig_open(struct trace_rig *rig, const char *params, const char *const *codes)
{
    *rig = (struct trace_rig){
        .reader = {.account = read_account, .slot = read_slot, .code = read_code},
        .hashes = {.get = no_hash},
        .clock = {.mono_ns = tick, .wall_ns = tick},
        .gas = 200000,
    };
    param_rig_open(&rig->params, params);
    for (usize i = 0; i < CONTRACTS && codes[i]; i++) {
        rig->codes[i] = kl_test_hex(codes[i]);
        rig->code_hashes[i] = kl_keccak256(rig->codes[i]);
    }
    kl_spec_init(&rig->spec, KL_OSAKA);
    rig->header = (kl_header){
        .number = 9, .timestamp = 99, .gas_limit = 30000000, .tail = kl_header_tail(KL_OSAKA)};
    kl_exec_config config = {.evm_memory_limit = 1 << 26, .journal_memory_limit = 1 << 26};
    CHECK_OK(kl_exec_new(&rig->exec, &config));
    kl_buf_init(&rig->out, 1 << 20);
    rig->json = kl_json_out_to(&rig->out);
    rig->params.call.out = &rig->json;
    rig->params.config.clock = &rig->clock;
    kl_rpc_worker_begin(&rig->params.worker);
}

static void rig_close(struct trace_rig *rig)
{
    kl_exec_free(rig->exec);
    kl_buf_done(&rig->out);
    param_rig_close(&rig->params);
}

/* Calls contract 1 under the tracer that the first parameter asks for. */
static bool trace(struct trace_rig *rig)
{
    struct kl_rpc_call *call = &rig->params.call;
    kl_trace_plan plan;
    kl_tx tx = {.has_to = true, .has_sender = true, .gas_limit = rig->gas};
    tx.to.b[18] = 0x0c;
    tx.to.b[19] = 1;
    tx.sender.b[19] = 0xff;
    tx.data = KL_SPAN_TEXT("\x01\x02\x03\x04\x05");
    kl_exec_block block = {
        .spec = &rig->spec, .header = &rig->header, .reader = &rig->reader, .hashes = &rig->hashes};
    kl_call how = {.tx = &tx, .free = true};
    kl_trace_where where = {.tx = &tx, .fork = KL_OSAKA, .log_base = 5};
    kl_rule broken = KL_RULE_NONE;
    if (!kl_arg_trace(call, kl_arg_at(call, 0), &plan))
        return false;
    struct kl_rpc_tracer *tracer = kl_rpc_tracer_make(&plan, call);
    if (!tracer)
        return false;
    CHECK_OK(kl_exec_enter(rig->exec, &block));
    kl_rpc_tracer_begin(tracer, rig->exec, &where);
    kl_status status = kl_exec_call(rig->exec, &how, &tracer->hooks, &rig->result, &broken);
    CHECK_RULE(broken, KL_RULE_NONE);
    return kl_rpc_tracer_end(tracer, &rig->result, status);
}

static void check(const char *params, const char *const *codes, const char *want)
{
    static struct trace_rig room;
    struct trace_rig *rig = &room;
    rig_open(rig, params, codes);
    CHECK(trace(rig));
    CHECK(rig->json.depth == 0);
    CHECK_SPAN(kl_buf_view(&rig->out), kl_span_str(want));
    rig_close(rig);
}

static void check_fails(const char *params, const char *const *codes, kl_rpc_error error,
                        const char *want)
{
    static struct trace_rig room;
    struct trace_rig *rig = &room;
    rig_open(rig, params, codes);
    CHECK(!trace(rig));
    CHECK(rig->params.call.error == error);
    CHECK_SPAN(kl_span_str(rig->params.call.message), kl_span_str(want));
    rig_close(rig);
}

#define ZEROS60 "000000000000000000000000000000000000000000000000000000000000"
#define ZEROS62 ZEROS60 "00"
#define ZEROS63 ZEROS60 "000"
#define A(i)    "0x0000000000000000000000000000000000000c0" i
#define FROM    "0x00000000000000000000000000000000000000ff"

/* PUSH1 1, SLOAD, PUSH0, MSTORE, STOP */
KL_TEST(trace_struct_shows_each_instruction)
{
    static const char *const codes[CONTRACTS] = {"", "6001545f5200"};
    check("[{\"enableMemory\":true}]", codes,
          "{\"structLogs\":["
          "{\"pc\":0,\"op\":\"PUSH1\",\"gas\":178920,\"gasCost\":3,\"depth\":1,\"stack\":[]},"
          "{\"pc\":2,\"op\":\"SLOAD\",\"gas\":178917,\"gasCost\":2100,\"depth\":1,"
          "\"stack\":[\"0x1\"],\"storage\":{\"0x" ZEROS63 "1\":\"0x" ZEROS63 "9\"}},"
          "{\"pc\":3,\"op\":\"PUSH0\",\"gas\":176817,\"gasCost\":2,\"depth\":1,"
          "\"stack\":[\"0x9\"]},"
          "{\"pc\":4,\"op\":\"MSTORE\",\"gas\":176815,\"gasCost\":6,\"depth\":1,"
          "\"stack\":[\"0x9\",\"0x0\"]},"
          "{\"pc\":5,\"op\":\"STOP\",\"gas\":176809,\"gasCost\":0,\"depth\":1,\"stack\":[],"
          "\"memory\":[\"0x" ZEROS63 "9\"]}],"
          "\"gas\":23191,\"failed\":false,\"returnValue\":\"0x\"}");
}

/* Slots of a contract gather, each contract's its own; refunds are counted; RETURN gives 32 bytes.
 * PUSH0 PUSH1 1 SSTORE PUSH1 7 PUSH0 SSTORE PUSH0 SLOAD … */
KL_TEST(trace_struct_leaves_out_what_is_not_wanted)
{
    static const char *const codes[CONTRACTS] = {"", "5f60015560075f5560205ff3"};
    check("[{\"disableStack\":true}]", codes,
          "{\"structLogs\":["
          "{\"pc\":0,\"op\":\"PUSH0\",\"gas\":178920,\"gasCost\":2,\"depth\":1},"
          "{\"pc\":1,\"op\":\"PUSH1\",\"gas\":178918,\"gasCost\":3,\"depth\":1},"
          "{\"pc\":3,\"op\":\"SSTORE\",\"gas\":178915,\"gasCost\":5000,\"depth\":1,"
          "\"storage\":{\"0x" ZEROS63 "1\":\"0x" ZEROS63 "0\"},\"refund\":4800},"
          "{\"pc\":4,\"op\":\"PUSH1\",\"gas\":173915,\"gasCost\":3,\"depth\":1,\"refund\":4800},"
          "{\"pc\":6,\"op\":\"PUSH0\",\"gas\":173912,\"gasCost\":2,\"depth\":1,\"refund\":4800},"
          "{\"pc\":7,\"op\":\"SSTORE\",\"gas\":173910,\"gasCost\":22100,\"depth\":1,"
          "\"storage\":{\"0x" ZEROS63 "0\":\"0x" ZEROS63 "7\",\"0x" ZEROS63 "1\":\"0x" ZEROS63
          "0\"},\"refund\":4800},"
          "{\"pc\":8,\"op\":\"PUSH1\",\"gas\":151810,\"gasCost\":3,\"depth\":1,\"refund\":4800},"
          "{\"pc\":10,\"op\":\"PUSH0\",\"gas\":151807,\"gasCost\":2,\"depth\":1,\"refund\":4800},"
          "{\"pc\":11,\"op\":\"RETURN\",\"gas\":151805,\"gasCost\":3,\"depth\":1,"
          "\"refund\":4800}],"
          "\"gas\":43398,\"failed\":false,\"returnValue\":\"0x" ZEROS63 "0\"}");
    check("[{\"disableStack\":true,\"disableStorage\":true,\"limit\":200}]", codes,
          "{\"structLogs\":["
          "{\"pc\":0,\"op\":\"PUSH0\",\"gas\":178920,\"gasCost\":2,\"depth\":1},"
          "{\"pc\":1,\"op\":\"PUSH1\",\"gas\":178918,\"gasCost\":3,\"depth\":1},"
          "{\"pc\":3,\"op\":\"SSTORE\",\"gas\":178915,\"gasCost\":5000,\"depth\":1,"
          "\"refund\":4800},"
          "{\"pc\":4,\"op\":\"PUSH1\",\"gas\":173915,\"gasCost\":3,\"depth\":1,\"refund\":4800}],"
          "\"gas\":43398,\"failed\":false,\"returnValue\":\"0x" ZEROS63 "0\"}");
}

/* What fails before it runs says so; a revert does not, but gives its data. */
KL_TEST(trace_struct_shows_failures)
{
    static const char *const underflow[CONTRACTS] = {"", "01"};
    check("[{}]", underflow,
          "{\"structLogs\":[{\"pc\":0,\"op\":\"ADD\",\"gas\":178920,\"gasCost\":3,\"depth\":1,"
          "\"stack\":[],\"error\":\"stack underflow (0 <=> 2)\"}],"
          "\"gas\":200000,\"failed\":true,\"returnValue\":\"0x\"}");
    static const char *const revert[CONTRACTS] = {"", "60015ffd"};
    check("[]", revert,
          "{\"structLogs\":[{\"pc\":0,\"op\":\"PUSH1\",\"gas\":178920,\"gasCost\":3,\"depth\":1,"
          "\"stack\":[]},{\"pc\":2,\"op\":\"PUSH0\",\"gas\":178917,\"gasCost\":2,\"depth\":1,"
          "\"stack\":[\"0x1\"]},{\"pc\":3,\"op\":\"REVERT\",\"gas\":178915,\"gasCost\":3,"
          "\"depth\":1,\"stack\":[\"0x1\",\"0x0\"]}],"
          "\"gas\":21200,\"failed\":true,\"returnValue\":\"0x00\"}");
    static const char *const unknown[CONTRACTS] = {"", "0c"};
    check("[{\"disableStack\":true}]", unknown,
          "{\"structLogs\":[{\"pc\":0,\"op\":\"opcode 0xc not defined\",\"gas\":178920,"
          "\"gasCost\":0,\"depth\":1}],\"gas\":200000,\"failed\":true,\"returnValue\":\"0x\"}");
}

/* Contract 1 calls 2, which logs and returns, then 3, which logs and reverts; then it logs itself:
 * PUSH0 ×4, PUSH1 5 (value), PUSH2 callee, PUSH2 gas, CALL, POP … PUSH0 PUSH0 LOG0 */
#define CALL_OF(value, callee) "5f5f5f5f60" value "610c" callee "61fffff150"

KL_TEST(trace_call_is_a_tree)
{
    static const char *const codes[CONTRACTS] = {"",
                                                 CALL_OF("05", "02") CALL_OF("00", "03") "5f5fa0",
                                                 "60aa5f5360015fa060015ff3", "5f5fa05f5ffd"};
    check("[{\"tracer\":\"callTracer\",\"tracerConfig\":{\"withLog\":true}}]", codes,
          "{\"from\":\"" FROM "\",\"gas\":\"0x30d40\",\"gasUsed\":\"0x8588\",\"to\":\"" A(
              "1") "\",\"input\":\"0x0102030405\",\"value\":\"0x0\",\"type\":\"CALL\","
                   "\"logs\":[{\"address\":\"" A(
                       "1") "\",\"topics\":[],\"data\":\"0x\","
                            "\"index\":\"0x6\",\"position\":\"0x2\"}],\"calls\":["
                            "{\"from\":\"" A("1") "\",\"gas\":\"0x108fb\",\"gasUsed\":\"0x194\","
                                                  "\"to\":\"" A(
                                                      "2") "\",\"input\":\"0x\",\"output\":"
                                                           "\"0xaa\",\"value\":\"0x5\",\"type\":"
                                                           "\"CALL\","
                                                           "\"logs\":[{\"address\":\"" A(
                                                               "2") "\",\"topics\":[],\"data\":"
                                                                    "\"0xaa\","
                                                                    "\"index\":\"0x5\","
                                                                    "\"position\":\"0x0\"}]},"
                                                                    "{\"from\":\"" A(
                                                                        "1") "\",\"gas\":"
                                                                             "\"0xffff\","
                                                                             "\"gasUsed\":"
                                                                             "\"0x17f\",\"to\":"
                                                                             "\"" A("3") "\","
                                                                                         "\"input\""
                                                                                         ":\"0x\","
                                                                                         "\"error\""
                                                                                         ":\"execut"
                                                                                         "ion "
                                                                                         "reverted"
                                                                                         "\","
                                                                                         "\"value\""
                                                                                         ":\"0x0\","
                                                                                         "\"type\":"
                                                                                         "\"CALL\"}"
                                                                                         "]}");
    check("[{\"tracer\":\"callTracer\",\"tracerConfig\":{\"onlyTopCall\":true}}]", codes,
          "{\"from\":\"" FROM "\",\"gas\":\"0x30d40\",\"gasUsed\":\"0x8588\",\"to\":\"" A(
              "1") "\",\"input\":\"0x0102030405\",\"value\":\"0x0\",\"type\":\"CALL\"}");
    check("[{\"tracer\":\"4byteTracer\"}]", codes, "{\"0x01020304-1\":1}");
    check("[{\"tracer\":\"noopTracer\"}]", codes, "{}");
}

/* Error(string) "no"; a creation that fails has no address; STATICCALL has no value; a failure says
 * what it needed; SELFDESTRUCT is a call. */
KL_TEST(trace_call_tells_reasons)
{
    static const char *const revert[CONTRACTS] = {
        "", "6308c379a05f526020602052" /* selector at 28, offset at 32 */
            "6002604052"
            "616e6f60f01b606052"
            "6064601cfd"};
    check("[{\"tracer\":\"callTracer\"}]", revert,
          "{\"from\":\"" FROM "\",\"gas\":\"0x30d40\",\"gasUsed\":\"0x52d0\",\"to\":\"" A(
              "1") "\",\"input\":\"0x0102030405\",\"output\":\"0x08c379a0" ZEROS62 "20" ZEROS63
                   "26e6f" ZEROS60
                   "\",\"error\":\"execution reverted\",\"revertReason\":\"no\",\"value\":\"0x0\","
                   "\"type\":\"CALL\"}");
    /* CREATE with init code that reverts, STATICCALL of a writer, SELFDESTRUCT */
    static const char *const mixed[CONTRACTS] = {
        "",
        "625f5ffd5f526003601d5ff050"
        "5f5f5f5f610c0261fffffa50" CALL_OF("00", "03") "60ffff",
        "60015f55", "01"};
    check(
        "[{\"tracer\":\"callTracer\"}]", mixed,
        "{\"from\":\"" FROM "\",\"gas\":\"0x30d40\",\"gasUsed\":\"0x2f76f\",\"to\":\"" A(
            "1") "\",\"input\":\"0x0102030405\",\"value\":\"0x0\",\"type\":\"CALL\",\"calls\":["
                 "{\"from\":\"" A(
                     "1") "\",\"gas\":\"0x234dc\",\"gasUsed\":\"0x4\",\"input\":\"0x5f5ffd\","
                          "\"error\":\"execution reverted\",\"value\":\"0x0\",\"type\":\"CREATE\"},"
                          "{\"from\":\"" A(
                              "1") "\",\"gas\":\"0xffff\",\"gasUsed\":\"0xffff\","
                                   "\"to\":\"" A("2") "\",\"input\":\"0x\",\"error\":\"write "
                                                      "protection\",\"type\":\"STATICCALL\"},"
                                                      "{\"from\":\"" A(
                                                          "1") "\",\"gas\":\"0xffff\","
                                                               "\"gasUsed\":\"0xffff\",\"to\":"
                                                               "\"" A("3") "\",\"input\":\"0x\","
                                                                           "\"error\":\"stack "
                                                                           "underflow (0 <=> "
                                                                           "2)\",\"value\":"
                                                                           "\"0x0\","
                                                                           "\"type\":\"CALL\"},"
                                                                           "{\"from\":\"" A(
                                                                               "1") "\",\"gas\":"
                                                                                    "\"0x0\","
                                                                                    "\"gasUsed\""
                                                                                    ":\"0x0\","
                                                                                    "\"to\":"
                                                                                    "\"" FROM "\","
                                                                                    "\"input\":"
                                                                                    "\"0x\","
                                                                                    "\"value\":"
                                                                                    "\"0x3e8\","
                                                                                    "\"type\":"
                                                                                    "\"SELFDESTR"
                                                                                    "UCT\"}]}");
}

/* Contract 1 loads slot 1, stores 7 in slot 2 and 0 in slot 1, asks for contract 2's balance, and
 * calls contract 3 with too little gas to load its slot 5. */
KL_TEST(trace_prestate_is_what_was_looked_at)
{
    static const char *const codes[CONTRACTS] = {"",
                                                 "60015450"
                                                 "6007600255"
                                                 "5f600155"
                                                 "610c023150"
                                                 "5f5f5f5f5f610c0360fff150",
                                                 "00", "60055400"};
    check("[{\"tracer\":\"prestateTracer\"}]", codes,
          "{\"" FROM "\":{\"balance\":\"0x3e8\"},\"" A(
              "1") "\":{\"balance\":\"0x3e8\",\"code\":\"0x6001545060076002555f600155610c0"
                   "231505f5f5f5f5f610c0360fff150\",\"codeHash\":\"0x785bf8b89c93f35f107df"
                   "73a7f7684387aae0c84bb283cb266a43a880795fd39\",\"storage\":{"
                   "\"0x" ZEROS63 "1"
                   "\":"
                   "\"0x" ZEROS63 "9"
                   "\","
                   "\"0x" ZEROS63 "2"
                   "\":"
                   "\"0x" ZEROS63 "0"
                   "\"}},\"" A(
                       "2") "\":{\"balance\":\"0x3e8\",\"code\":\"0x00\",\"codeHash\":\"0xbc36789e7"
                            "a1e281436464229828f817d6612f7b477d66591ff96a9e064bcc98a\"},\"" A(
                                "3") "\":{\"balance\":\"0x3e8\",\"code\":\"0x60055400\","
                                     "\"codeHash\":\"0x56d"
                                     "49e029711a8641bd32ff9a359a577bfac1158364ee938454e419d19dba388"
                                     "\"}}");
    check("[{\"tracer\":\"prestateTracer\",\"tracerConfig\":{\"disableCode\":true,"
          "\"disableStorage\":true,\"includeEmpty\":true}}]",
          codes,
          "{\"0x0000000000000000000000000000000000000000\":{\"balance\":\"0x0\"},"
          "\"" FROM "\":{\"balance\":\"0x3e8\"},\"" A(
              "1") "\":{\"balance\":\"0x3e8\",\"codeHash\":\"0x785bf8b89c93f35f107df73a7f7"
                   "684387aae0c84bb283cb266a43a880795fd39\"},\"" A(
                       "2") "\":{\"balance\":\"0x3e8\",\"codeHash\":\"0xbc36789e7a1e281436464229828"
                            "f817d6612f7b477d66591ff96a9e064bcc98a\"},\"" A(
                                "3") "\":{\"balance\":\"0x3e8\",\"codeHash\":"
                                     "\"0x56d49e029711a8641bd32ff9a35"
                                     "9a577bfac1158364ee938454e419d19dba388\"}}");
    check("[{\"tracer\":\"prestateTracer\",\"tracerConfig\":{\"diffMode\":true}}]", codes,
          "{\"post\":{\"" FROM "\":{\"nonce\":1},\"" A(
              "1") "\":{\"storage\":{"
                   "\"0x" ZEROS63 "2"
                   "\":"
                   "\"0x" ZEROS63 "7"
                   "\"}}},\"pre\":{\"" FROM "\":{\"balance\":\"0x3e8\"},\"" A(
                       "1") "\":{\"balance\":\"0x3e8\",\"code\":\"0x6001545060076002555f600155610c0"
                            "231505f5f5f5f5f610c0360fff150\",\"codeHash\":\"0x785bf8b89c93f35f107df"
                            "73a7f7684387aae0c84bb283cb266a43a880795fd39\",\"storage\":{"
                            "\"0x" ZEROS63 "1"
                            "\":"
                            "\"0x" ZEROS63 "9"
                            "\"}}}}");
    check_fails("[{\"tracer\":\"prestateTracer\",\"tracerConfig\":{\"diffMode\":true,"
                "\"includeEmpty\":true}}]",
                codes, KL_RPC_PARAMS, "cannot use diffMode with includeEmpty");
}

/* Contract 1 creates a contract that destroys itself, and one that stays. */
KL_TEST(trace_prestate_of_what_is_created)
{
    static const char *const codes[CONTRACTS] = {"", "6130ff5f526002601e5ff050"
                                                     "6b60aa5f5360015ff300000000"
                                                     "5f5260206014"
                                                     "5ff0"};
    check("[{\"tracer\":\"prestateTracer\",\"tracerConfig\":{\"diffMode\":true}}]", codes,
          "{\"post\":{\"" FROM "\":{\"nonce\":1},\"" A(
              "1") "\":{\"nonce\":2},\"0x4dde70dfeecd9bdff27e0cbd2705f5e373af5a4d\":{\"cod"
                   "e\":\"0xaa\",\"codeHash\":\"0xdb81b4d58595fbbbb592d3661a34cdca14d7ab37"
                   "9441400cbfa1b78bc447c365\",\"nonce\":1}},\"pre\":{\"" FROM
                   "\":{\"balance\":\"0x3e8\"},\"" A(
                       "1") "\":{\"balance\":\"0x3e8\",\"code\":\"0x6130ff5f526002601e5ff0506b60aa5"
                            "f5360015ff3000000005f52602060145ff0\",\"codeHash\":\"0x39a574aa508640c"
                            "55f44e0e1fbacc07be711e8ec5f29cd89151c0f58c92ed53c\"}}}");
}

/* Calls itself as deep as calls go: deeper than a writer's nesting. */
KL_TEST(trace_call_is_as_deep_as_calls_are)
{
    static const char *const codes[CONTRACTS] = {"", "5f5f5f5f5f305af1"};
    static struct trace_rig room;
    struct trace_rig *rig = &room;
    rig_open(rig, "[{\"tracer\":\"callTracer\"}]", codes);
    rig->gas = (u64)1 << 50;
    CHECK(trace(rig));
    usize depth = 0, deepest = 0, calls = 0;
    for (usize i = 0; i < rig->out.len; i++) {
        depth += rig->out.p[i] == '{';
        calls += rig->out.p[i] == '{';
        deepest = KL_MAX(deepest, depth);
        depth -= rig->out.p[i] == '}';
    }
    CHECK(depth == 0 && deepest == calls && deepest > KL_JSON_DEPTH_MAX);
    CHECK_U64(calls, KL_EVM_DEPTH_MAX + 2); /* the last is the one that is too deep */
    rig_close(rig);
    rig_open(rig, "[{\"tracer\":\"prestateTracer\"}]", codes);
    rig->gas = (u64)1 << 50;
    CHECK(trace(rig));
    rig_close(rig);
}

/* JUMPDEST PUSH0 JUMP, for ever. */
KL_TEST(trace_ends_when_it_is_too_long)
{
    static const char *const loop[CONTRACTS] = {"", "5b5f56"};
    check_fails("[{\"timeout\":\"3s\"}]", loop, KL_RPC_INPUT, "execution timeout");
    check_fails("[{\"timeout\":\"3s\",\"tracer\":\"callTracer\"}]", loop, KL_RPC_INPUT,
                "execution timeout");
    check_fails("[{}]", loop, KL_RPC_LIMIT, "response too large"); /* the rig's MiB */
}

KL_TEST(trace_options_are_judged)
{
    static const char *const codes[CONTRACTS] = {"", "00"};
    check_fails("[7]", codes, KL_RPC_PARAMS, "invalid argument 0: object expected");
    check_fails("[{\"tracer\":\"jsTracer\"}]", codes, KL_RPC_PARAMS,
                "invalid argument 0: tracer: there is no tracer of this name: jsTracer");
    check_fails("[{\"timeout\":\"5 s\"}]", codes, KL_RPC_PARAMS,
                "invalid argument 0: timeout: invalid duration \"5 s\"");
    check_fails("[{\"timeout\":\"5\"}]", codes, KL_RPC_PARAMS,
                "invalid argument 0: timeout: invalid duration \"5\"");
    check_fails("[{\"timeout\":\"\"}]", codes, KL_RPC_PARAMS,
                "invalid argument 0: timeout: invalid duration \"\"");
    check_fails("[{\"enableMemory\":1}]", codes, KL_RPC_PARAMS,
                "invalid argument 0: enableMemory: true or false expected");
    check_fails("[{\"tracer\":\"callTracer\",\"tracerConfig\":{\"withLog\":0}}]", codes,
                KL_RPC_PARAMS, "invalid argument 0: withLog: true or false expected");
    check("[{\"timeout\":\"1h2m3.5s4ms5us6ns\",\"disableStack\":true}]", codes,
          "{\"structLogs\":[{\"pc\":0,\"op\":\"STOP\",\"gas\":178920,\"gasCost\":0,\"depth\":1}],"
          "\"gas\":21200,\"failed\":false,\"returnValue\":\"0x\"}");
}
