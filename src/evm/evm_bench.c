/* How fast the interpreter is: runs the state tests of the usual benchmark contracts over the mock
 * host and prints gas per second.
 *
 * usage: evm_bench [FOLDER [NAME-PART]]   (FOLDER: KEEL_EVM_BENCHMARKS, else the argument)
 *
 * "run" is a run of analysed code, "total" has the analysis in it.  Each figure is the best of
 * seven rounds of at least 0.1 s of processor time; gas is what the message itself used. */
#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include "codec/hex.h"
#include "codec/json.h"
#include "evm/mock_host_priv.h"

#define ROUNDS   7
#define ROUND_NS 100000000u

struct test_case {
    char name[96];
    struct mock_host *mock;
    kl_evm_block block;
    kl_evm_tx tx;
    kl_evm_message message;
    mock_account *target;
    kl_span code;
};

static struct kl_arena arena;
static struct kl_json json;

static kl_span hex_of(kl_json_ref ref)
{
    kl_span out;
    bool exhausted = false;
    kl_rule broken = kl_hex_data(&out, kl_json_raw(&json, ref), &arena, &exhausted);
    KL_ASSERT(broken == KL_RULE_NONE && !exhausted);
    return out;
}

static kl_u256 number_of(kl_json_ref ref)
{
    kl_u256 out;
    KL_ASSERT(kl_hex_u256(&out, kl_json_raw(&json, ref)) == KL_RULE_NONE);
    return out;
}

static kl_address address_of(kl_json_ref ref)
{
    return kl_u256_to_address(number_of(ref));
}

static kl_json_ref member(kl_json_ref object, const char *name)
{
    kl_json_ref ref = kl_json_member(&json, object, name);
    KL_ASSERT(ref != KL_JSON_NONE);
    return ref;
}

static void load_accounts(struct mock_host *mock, kl_json_ref pre)
{
    for (kl_json_ref n = kl_json_first(&json, pre); n != KL_JSON_NONE;
         n = kl_json_after(&json, pre, kl_json_value(n))) {
        kl_json_ref account = kl_json_value(n), storage = member(account, "storage");
        kl_span name = kl_json_raw(&json, n);
        kl_address address;
        KL_ASSERT(name.len == 42);
        address = kl_u256_to_address(number_of(n));
        mock_account *a = mock_put(mock, &address, number_of(member(account, "balance")),
                                   hex_of(member(account, "code")));
        a->nonce = number_of(member(account, "nonce")).w[0];
        for (kl_json_ref s = kl_json_first(&json, storage); s != KL_JSON_NONE;
             s = kl_json_after(&json, storage, kl_json_value(s)))
            mock_put_slot(mock, a, number_of(s), number_of(kl_json_value(s)));
    }
}

static u64 now_ns(void)
{
    struct timespec t;
    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t);
    return (u64)t.tv_sec * 1000000000u + (u64)t.tv_nsec;
}

/* One run from the state at the beginning; the gas it used. */
static u64 run_once(struct kl_evm *evm, struct test_case *c, bool analyse)
{
    struct kl_code *code = NULL, *before = c->target->code;
    kl_evm_result result;
    if (analyse) {
        KL_ASSERT(kl_code_new(&code, c->code) == KL_OK);
        c->target->code = code;
    }
    KL_ASSERT(kl_evm_run(evm, &c->mock->host, &c->block, &c->tx, &c->message, NULL, &result) ==
              KL_OK);
    if (result.halt != KL_HALT_NONE) {
        printf("%s: %s\n", c->name, kl_halt_text(result.halt));
        exit(1);
    }
    mock_op_revert(&c->mock->host, 0);
    c->target->code = before;
    kl_code_unref(code);
    return c->message.gas - result.gas_left;
}

/* Nanoseconds a run, in the best round. */
static double measure(struct kl_evm *evm, struct test_case *c, bool analyse)
{
    double best = 0;
    (void)run_once(evm, c, analyse);
    for (unsigned round = 0; round < ROUNDS; round++) {
        u64 start = now_ns(), end, runs = 0, batch = 1;
        do {
            for (u64 i = 0; i < batch; i++)
                (void)run_once(evm, c, analyse);
            runs += batch;
            batch *= 2;
            end = now_ns();
        } while (end - start < ROUND_NS);
        double ns = (double)(end - start) / (double)runs;
        best = round == 0 || ns < best ? ns : best;
    }
    return best;
}

static void run_test(struct kl_evm *evm, kl_json_ref name, kl_json_ref test, const char *folder,
                     const char *part)
{
    kl_json_ref tx = member(test, "transaction"), data = member(tx, "data");
    kl_json_ref labels = kl_json_member(&json, member(test, "_info"), "labels");
    kl_span test_name = kl_json_raw(&json, name);
    for (u32 i = 0; i < json.nodes[data].count; i++) {
        struct mock_host mock;
        struct test_case c = {.mock = &mock};
        char index[12];
        snprintf(index, sizeof index, "%u", i);
        kl_json_ref label = kl_json_member(&json, labels, index);
        kl_span text = label == KL_JSON_NONE ? kl_span_str(index) : kl_json_raw(&json, label);
        snprintf(c.name, sizeof c.name, "%s/%.*s/%.*s", folder, (int)test_name.len,
                 (const char *)test_name.p, (int)text.len, (const char *)text.p);
        if (!strstr(c.name, part))
            continue;
        mock_init(&mock, KL_ISTANBUL);
        load_accounts(&mock, member(test, "pre"));
        c.block = (kl_evm_block){.fork = KL_ISTANBUL,
                                 .chain_id = 1,
                                 .number = 1,
                                 .gas_limit = 1000000000,
                                 .timestamp = 0x61a8d289};
        c.message =
            (kl_evm_message){.caller = address_of(member(tx, "sender")),
                             .to = address_of(member(tx, "to")),
                             .input = hex_of(kl_json_at(&json, data, i)),
                             .gas = number_of(kl_json_at(&json, member(tx, "gasLimit"), 0)).w[0]};
        c.tx.origin = c.message.caller;
        c.target = mock_find(&mock, &c.message.to);
        c.code = kl_span_of(c.target->code->bytes, c.target->code->len);
        u64 gas = run_once(evm, &c, false);
        double run = measure(evm, &c, false), total = measure(evm, &c, true);
        printf("%-44s %12llu %9.1f %9.1f %12.2f\n", c.name, (unsigned long long)gas,
               (double)gas * 1e3 / run, (double)gas * 1e3 / total, total / 1e3);
        fflush(stdout);
        mock_done(&mock);
    }
}

static void run_file(struct kl_evm *evm, const char *path, const char *folder, const char *part)
{
    FILE *f = fopen(path, "rb");
    KL_ASSERT(f);
    static u8 text[4 << 20];
    usize len = fread(text, 1, sizeof text, f), at;
    kl_rule broken = KL_RULE_NONE;
    fclose(f);
    kl_arena_reset(&arena, SIZE_MAX);
    KL_ASSERT(kl_json_parse(&json, kl_span_of(text, len), 1 << 16, &arena, &broken, &at) == KL_OK);
    KL_ASSERT(broken == KL_RULE_NONE);
    for (kl_json_ref n = kl_json_first(&json, 0); n != KL_JSON_NONE;
         n = kl_json_after(&json, 0, kl_json_value(n)))
        run_test(evm, n, kl_json_value(n), folder, part);
}

static int is_json(const struct dirent *entry)
{
    const char *dot = strrchr(entry->d_name, '.');
    return dot && strcmp(dot, ".json") == 0;
}

int main(int argc, char **argv)
{
    static const char *const folders[] = {"main", "micro"};
    const char *root = argc > 1 ? argv[1] : getenv("KEEL_EVM_BENCHMARKS");
    const char *part = argc > 2 ? argv[2] : "";
    struct kl_evm *evm;
    if (!root) {
        printf("no benchmark contracts: name their folder in KEEL_EVM_BENCHMARKS\n");
        return 0;
    }
    kl_arena_init(&arena, 256 << 20);
    KL_ASSERT(kl_evm_new(&evm, &(kl_evm_config){.memory_limit = 1 << 30}) == KL_OK);
    printf("%-44s %12s %9s %9s %12s\n", "case", "gas", "run Mg/s", "tot Mg/s", "total us");
    for (usize i = 0; i < KL_COUNT_OF(folders); i++) {
        char path[4096];
        struct dirent **names;
        snprintf(path, sizeof path, "%s/%s", root, folders[i]);
        int count = scandir(path, &names, is_json, alphasort);
        for (int j = 0; j < count; j++) {
            snprintf(path, sizeof path, "%s/%s/%s", root, folders[i], names[j]->d_name);
            run_file(evm, path, folders[i], part);
            free(names[j]);
        }
        if (count >= 0)
            free(names);
    }
    kl_evm_free(evm);
    kl_arena_done(&arena);
    return 0;
}
