/* Built-in contracts against their published vectors: geth's and nimbus' in the fixture pack, and
 * the EIPs', Wycheproof's and some more of geth's in tests/vectors. */
#include <stdio.h>
#include <stdlib.h>

#include "codec/json.h"
#include "crypto/address.h"
#include "evm/evm_test_priv.h"
#include "evm/precompile.h"

static struct kl_arena arena;
static struct kl_json json;

static const struct kl_precompile *contract(u32 number, kl_fork fork)
{
    kl_address a = {{0}};
    kl_store_be32(a.b + 16, number);
    const struct kl_precompile *found = kl_precompile_at(&a, fork);
    CHECK(found);
    return found;
}

static void open_file(const char *path)
{
    kl_rule broken = KL_RULE_NONE;
    usize at;
    kl_arena_init(&arena, 64 << 20);
    CHECK_OK(kl_json_parse(&json, kl_test_file(path), 1 << 16, &arena, &broken, &at));
    CHECK_RULE(broken, KL_RULE_NONE);
}

static const char *here(const char *file)
{
    static char path[4096];
    snprintf(path, sizeof path, "%s/tests/vectors/%s", kl_test_source_root(), file);
    return path;
}

static kl_span hex(kl_json_ref ref)
{
    CHECK(kl_json_is(&json, ref, KL_JSON_STRING));
    kl_span digits = kl_json_raw(&json, ref);
    u8 *out = KL_TAKE(&arena, u8, digits.len / 2 + 1);
    CHECK(out && digits.len % 2 == 0);
    for (usize i = 0; i < digits.len; i++) {
        u8 c = digits.p[i], d = (u8)(c <= '9' ? c - '0' : (c | 0x20) - 'a' + 10);
        out[i / 2] = (u8)(i % 2 ? out[i / 2] << 4 | d : d);
    }
    return kl_span_of(out, digits.len / 2);
}

/* One vector in geth's form; Gas is checked where the file has it. */
static void check_vector(const struct kl_precompile *p, kl_fork fork, kl_json_ref test)
{
    kl_span input = hex(kl_json_member(&json, test, "Input")), output;
    kl_json_ref expected = kl_json_member(&json, test, "Expected");
    kl_json_ref gas = kl_json_member(&json, test, "Gas");
    u64 want_gas, got_gas = kl_precompile_gas(p, input, fork);
    bool ok = got_gas != UINT64_MAX;
    if (ok)
        CHECK_OK(kl_precompile_run(p, input, fork, &arena, &output, &ok));
    CHECK(ok == (expected != KL_JSON_NONE));
    if (!ok)
        return;
    CHECK_SPAN(output, hex(expected));
    if (gas != KL_JSON_NONE && kl_json_number_u64(&want_gas, &json, gas))
        CHECK_U64(got_gas, want_gas);
}

/* The first vectors of a file for the contract at an address, max of them at most; how many. */
static usize run_file(const char *path, u32 address, kl_fork fork, usize max)
{
    usize count = 0;
    open_file(path);
    kl_json_ref list = kl_json_is(&json, 0, KL_JSON_ARRAY) ? 0 : kl_json_member(&json, 0, "data");
    for (kl_json_ref test = kl_json_first(&json, list); test != KL_JSON_NONE && count < max;
         test = kl_json_after(&json, list, test)) {
        kl_arena_mark mark = kl_arena_here(&arena);
        check_vector(contract(address, fork), fork, test);
        kl_arena_rewind(&arena, mark);
        count++;
    }
    kl_arena_done(&arena);
    CHECK(count > 0);
    return count;
}

typedef struct vector_file {
    const char *file;
    u32 address;
    kl_fork fork;
} vector_file;

KL_TEST(vectors_of_the_pack)
{
    static const vector_file files[] = {
        {"nimbus/ecrecover.json", 1, KL_BYZANTIUM},
        {"nimbus/sha256.json", 2, KL_BYZANTIUM},
        {"nimbus/ripemd160.json", 3, KL_BYZANTIUM},
        {"nimbus/identity.json", 4, KL_BYZANTIUM},
        {"geth/modexp.json", 5, KL_BYZANTIUM},
        {"geth/modexp_eip2565.json", 5, KL_BERLIN},
        {"geth/modexp_eip7883.json", 5, KL_OSAKA},
        {"geth/bn256Add.json", 6, KL_ISTANBUL},
        {"geth/bn256ScalarMul.json", 7, KL_ISTANBUL},
        {"geth/bn256Pairing.json", 8, KL_ISTANBUL},
        {"geth/blake2F.json", 9, KL_ISTANBUL},
        {"geth/fail-blake2f.json", 9, KL_ISTANBUL},
        {"geth/blsG1Add.json", 0x0b, KL_PRAGUE},
        {"geth/fail-blsG1Add.json", 0x0b, KL_PRAGUE},
        {"geth/blsG1Mul.json", 0x0c, KL_PRAGUE},
        {"geth/fail-blsG1Mul.json", 0x0c, KL_PRAGUE},
        {"geth/blsG1MultiExp.json", 0x0c, KL_PRAGUE},
        {"geth/fail-blsG1MultiExp.json", 0x0c, KL_PRAGUE},
        {"geth/blsG2Add.json", 0x0d, KL_PRAGUE},
        {"geth/fail-blsG2Add.json", 0x0d, KL_PRAGUE},
        {"geth/blsG2Mul.json", 0x0e, KL_PRAGUE},
        {"geth/fail-blsG2Mul.json", 0x0e, KL_PRAGUE},
        {"geth/blsG2MultiExp.json", 0x0e, KL_PRAGUE},
        {"geth/fail-blsG2MultiExp.json", 0x0e, KL_PRAGUE},
        {"geth/blsPairing.json", 0x0f, KL_PRAGUE},
        {"geth/fail-blsPairing.json", 0x0f, KL_PRAGUE},
        {"geth/blsMapG1.json", 0x10, KL_PRAGUE},
        {"geth/fail-blsMapG1.json", 0x10, KL_PRAGUE},
        {"geth/blsMapG2.json", 0x11, KL_PRAGUE},
        {"geth/fail-blsMapG2.json", 0x11, KL_PRAGUE},
        {"geth/p256Verify.json", 0x100, KL_OSAKA},
    };
    usize count = 0;
    for (usize i = 0; i < KL_COUNT_OF(files); i++) {
        char path[4096];
        snprintf(path, sizeof path, "%s/PrecompileTests/%s", kl_test_fixtures(), files[i].file);
        count += run_file(path, files[i].address, files[i].fork, SIZE_MAX);
    }
    kl_test_tally("PrecompileTests", count, count);
}

static void run_files(const char *suite, const vector_file *files, usize count)
{
    usize ran = 0;
    for (usize i = 0; i < count; i++)
        ran += run_file(here(files[i].file), files[i].address, files[i].fork, SIZE_MAX);
    kl_test_tally(suite, ran, ran);
}

KL_TEST(vectors_of_geth_beside_the_pack)
{
    static const vector_file files[] = {
        {"geth-ecRecover.json", 1, KL_OSAKA},
        {"geth-modexp_eip2565.json", 5, KL_BERLIN},
        {"geth-pointEvaluation.json", 0x0a, KL_CANCUN},
    };
    run_files("geth beside the pack", files, KL_COUNT_OF(files));
}

/* The last of them has 2^32 - 1 rounds. */
KL_TEST(vectors_of_eip_152)
{
    bool long_too = getenv("KEEL_LONG_VECTORS") != NULL;
    usize ran = run_file(here("eip-152.json"), 9, KL_OSAKA, long_too ? 9 : 8);
    kl_test_tally("EIP-152", ran, ran);
    if (!long_too)
        kl_test_left_out("EIP-152", 1,
                         "2^32 - 1 rounds take half a minute; KEEL_LONG_VECTORS=1 runs them");
}

KL_TEST(vectors_of_eip_2537)
{
    static const vector_file files[] = {
        {"eip-2537-add_G1.json", 0x0b, KL_PRAGUE},
        {"eip-2537-fail-add_G1.json", 0x0b, KL_PRAGUE},
        {"eip-2537-mul_G1.json", 0x0c, KL_PRAGUE},
        {"eip-2537-fail-mul_G1.json", 0x0c, KL_PRAGUE},
        {"eip-2537-msm_G1.json", 0x0c, KL_PRAGUE},
        {"eip-2537-fail-msm_G1.json", 0x0c, KL_PRAGUE},
        {"eip-2537-add_G2.json", 0x0d, KL_PRAGUE},
        {"eip-2537-fail-add_G2.json", 0x0d, KL_PRAGUE},
        {"eip-2537-mul_G2.json", 0x0e, KL_PRAGUE},
        {"eip-2537-fail-mul_G2.json", 0x0e, KL_PRAGUE},
        {"eip-2537-fail-msm_G2.json", 0x0e, KL_PRAGUE},
        {"eip-2537-pairing_check.json", 0x0f, KL_PRAGUE},
        {"eip-2537-fail-pairing_check.json", 0x0f, KL_PRAGUE},
        {"eip-2537-map_fp_to_G1.json", 0x10, KL_PRAGUE},
        {"eip-2537-fail-map_fp_to_G1.json", 0x10, KL_PRAGUE},
        {"eip-2537-map_fp2_to_G2.json", 0x11, KL_PRAGUE},
        {"eip-2537-fail-map_fp2_to_G2.json", 0x11, KL_PRAGUE},
    };
    run_files("EIP-2537", files, KL_COUNT_OF(files));
}

/* Runs a contract of constant price on parts laid end to end. */
static kl_span answer(u32 address, const kl_span *parts, usize count)
{
    u8 input[512];
    usize len = 0;
    kl_span output;
    bool ok;
    for (usize i = 0; i < count; i++) {
        CHECK(parts[i].len <= sizeof input - len);
        memcpy(input + len, parts[i].p, parts[i].len);
        len += parts[i].len;
    }
    CHECK_OK(kl_precompile_run(contract(address, KL_OSAKA), kl_span_of(input, len), KL_OSAKA,
                               &arena, &output, &ok));
    CHECK(ok);
    return output;
}

/* Does ECRECOVER name the key's account for one of the two v that it knows? */
static bool recovers(kl_span digest, kl_span r_s, kl_span key)
{
    kl_pubkey pubkey;
    u8 v[32] = {0}, word[32] = {0};
    CHECK(key.len == 64 && digest.len == 32 && r_s.len == 64);
    memcpy(pubkey.b, key.p, 64);
    kl_address account = kl_address_of_pubkey(&pubkey);
    memcpy(word + 12, account.b, sizeof account.b);
    bool found = false;
    for (v[31] = 27; v[31] <= 28; v[31]++) {
        kl_span got = answer(1, (kl_span[]){digest, KL_SPAN_OF(v), r_s}, 3);
        CHECK(got.len == 0 || (got.len == 32 && memcmp(got.p, word, 12) == 0));
        found |= kl_span_eq(got, KL_SPAN_OF(word));
    }
    return found;
}

/* Does P256VERIFY say yes?  Input of another length is an answer of its own: no. */
static bool verifies(kl_span digest, kl_span r_s, kl_span key)
{
    static const u8 one[32] = {[31] = 1};
    kl_span got = answer(0x100, (kl_span[]){digest, r_s, key}, 3);
    CHECK(got.len == 0 || kl_span_eq(got, KL_SPAN_OF(one)));
    return got.len != 0;
}

enum { SUITES_MAX = 32 };

struct ecdsa {
    usize suites, ran[SUITES_MAX], left_out[SUITES_MAX];
    u64 good, bad;
};

static usize suite_at(const struct ecdsa *run, kl_json_ref number)
{
    u64 suite;
    CHECK(kl_json_number_u64(&suite, &json, number) && suite < run->suites);
    return (usize)suite;
}

/* [digest ‖ r ‖ s, good, suites that have it] */
static void check_signature(struct ecdsa *run, bool recover, kl_span key, kl_json_ref test)
{
    kl_json_ref first = kl_json_first(&json, test);
    kl_json_ref verdict = kl_json_after(&json, test, first);
    kl_json_ref suites = kl_json_after(&json, test, verdict);
    kl_span input = hex(first);
    kl_span digest = kl_span_sub(input, 0, 32), r_s = kl_span_sub(input, 32, SIZE_MAX);
    bool good = kl_json_is(&json, verdict, KL_JSON_TRUE);
    bool got = recover ? recovers(digest, r_s, key) : verifies(digest, r_s, key);
    if (got != good)
        kl_test_fail(__FILE__, __LINE__, "%.*s", (int)kl_json_raw(&json, first).len,
                     (const char *)kl_json_raw(&json, first).p);
    for (kl_json_ref s = kl_json_first(&json, suites); s != KL_JSON_NONE;
         s = kl_json_after(&json, suites, s))
        run->ran[suite_at(run, s)]++;
    *(good ? &run->good : &run->bad) += 1;
}

static void check_key(struct ecdsa *run, kl_json_ref entry)
{
    kl_json_ref tests = kl_json_member(&json, entry, "tests");
    bool recover = kl_span_eq(kl_json_raw(&json, kl_json_member(&json, entry, "contract")),
                              KL_SPAN_TEXT("ECREC"));
    kl_span key = hex(kl_json_member(&json, entry, "key"));
    for (kl_json_ref test = kl_json_first(&json, tests); test != KL_JSON_NONE;
         test = kl_json_after(&json, tests, test)) {
        kl_arena_mark mark = kl_arena_here(&arena);
        check_signature(run, recover, key, test);
        kl_arena_rewind(&arena, mark);
    }
}

static const char *text_of(kl_json_ref ref)
{
    kl_span text = kl_json_raw(&json, ref);
    char *copy = KL_TAKE(&arena, char, text.len + 1);
    CHECK(copy && kl_json_is(&json, ref, KL_JSON_STRING));
    memcpy(copy, text.p, text.len);
    copy[text.len] = 0;
    return copy;
}

/* Every case of a suite has run, or is named with why it cannot. */
KL_TEST(vectors_of_ecdsa)
{
    struct ecdsa run = {0};
    const char *names[SUITES_MAX];
    u64 cases[SUITES_MAX], count;
    open_file(here("ecdsa.json"));
    kl_json_ref list = kl_json_member(&json, 0, "suites");
    for (kl_json_ref s = kl_json_first(&json, list); s != KL_JSON_NONE; run.suites++) {
        CHECK(run.suites < SUITES_MAX);
        names[run.suites] = text_of(kl_json_member(&json, s, "name"));
        CHECK(kl_json_number_u64(&cases[run.suites], &json, kl_json_member(&json, s, "cases")));
        s = kl_json_after(&json, list, s);
    }
    list = kl_json_member(&json, 0, "keys");
    for (kl_json_ref s = kl_json_first(&json, list); s != KL_JSON_NONE;
         s = kl_json_after(&json, list, s))
        check_key(&run, s);
    list = kl_json_member(&json, 0, "skipped");
    for (kl_json_ref s = kl_json_first(&json, list); s != KL_JSON_NONE;
         s = kl_json_after(&json, list, s)) {
        usize suite = suite_at(&run, kl_json_member(&json, s, "suite"));
        CHECK(kl_json_number_u64(&count, &json, kl_json_member(&json, s, "cases")));
        kl_test_left_out(names[suite], (usize)count, text_of(kl_json_member(&json, s, "why")));
        run.left_out[suite] += (usize)count;
    }
    for (usize i = 0; i < run.suites; i++) {
        CHECK_U64(run.ran[i] + run.left_out[i], cases[i]);
        kl_test_tally(names[i], run.ran[i], run.ran[i]);
    }
    CHECK(run.good > 800 && run.bad > 200);
    kl_arena_done(&arena);
}
