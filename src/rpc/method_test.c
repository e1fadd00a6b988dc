#include "rpc/method.h"

#include "base/test.h"
#include "rpc/fake_priv.h"
#include "rpc/jsonrpc.h"
#include "rpc/worker_priv.h"

static const struct {
    const char *name, *params;
} rows[] = {
#define KL_RPC_METHOD_X(name, function, dev, params) {name, params},
#include "rpc/method.def"
#undef KL_RPC_METHOD_X
};

KL_TEST(method_table_is_sorted_and_well_formed)
{
    for (usize i = 0; i < KL_COUNT_OF(rows); i++) {
        CHECK(i == 0 || kl_span_cmp(kl_span_str(rows[i - 1].name), kl_span_str(rows[i].name)) < 0);
        CHECK(strchr(rows[i].name, '_'));
        kl_rpc_method method = {.params = rows[i].params};
        bool optional, before = false;
        kl_span name;
        for (usize p = 0; (name = kl_rpc_method_param(&method, p, &optional)).len; p++) {
            CHECK(name.len < 32);
            CHECK(!before || optional); /* nothing is required behind what may be missing */
            before = optional;
            for (usize c = 0; c < name.len; c++)
                CHECK((name.p[c] | 0x20) >= 'a' && (name.p[c] | 0x20) <= 'z');
        }
    }
}

KL_TEST(method_find_finds_each_and_nothing_else)
{
    for (usize i = 0; i < kl_fake_methods.count; i++) {
        const char *name = kl_fake_methods.rows[i].name;
        CHECK(kl_rpc_method_find(kl_fake_methods, kl_span_str(name)) == &kl_fake_methods.rows[i]);
        CHECK(!kl_rpc_method_find(kl_fake_methods, kl_span_of(name, strlen(name) - 1)));
        CHECK(!kl_rpc_method_find(kl_fake_methods, kl_span_of(name, strlen(name) + 1)));
    }
    CHECK(!kl_rpc_method_find(kl_fake_methods, KL_SPAN_NONE));
    CHECK(!kl_rpc_method_find((kl_rpc_table){0}, KL_SPAN_TEXT("fake_add")));
}

/* The methods that need no chain. */
static const kl_rpc_method plain[] = {
    {"dev_x", kl_rpc_net_listening, true, ""},
    {"net_listening", kl_rpc_net_listening, false, ""},
    {"net_peerCount", kl_rpc_net_peer_count, false, ""},
    {"rpc_modules", kl_rpc_rpc_modules, false, ""},
    {"web3_clientVersion", kl_rpc_web3_client_version, false, ""},
    {"web3_sha3", kl_rpc_web3_sha3, false, "data"},
};

static usize three_peers(struct kl_rpc_backend *backend)
{
    (void)backend;
    return 3;
}

static void check(const char *method, const char *params, bool dev, const char *want)
{
    static const struct kl_rpc_backend_ops ops = {.peer_count = three_peers};
    struct kl_rpc_backend backend = {.ops = &ops, .client_version = "Keel/v0 \"x\""};
    kl_rpc_config config = kl_fake_config();
    config.backend = &backend;
    config.dev = dev;
    struct kl_rpc_core core = {.config = &config, .methods = {plain, KL_COUNT_OF(plain)}};
    struct kl_rpc_worker worker;
    struct kl_buf sent, out;
    kl_rpc_worker_init(&worker, &core);
    kl_buf_init(&sent, 1000);
    kl_buf_init(&out, 1000);
    kl_buf_str(&sent, "{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"");
    kl_buf_str(&sent, method);
    kl_buf_str(&sent, "\",\"params\":");
    kl_buf_str(&sent, params);
    kl_buf_str(&sent, "}");
    CHECK(kl_jsonrpc_serve(&worker, NULL, kl_buf_view(&sent), &out));
    kl_span start = KL_SPAN_TEXT("{\"jsonrpc\":\"2.0\",\"id\":1,");
    CHECK_SPAN(kl_span_sub(kl_buf_view(&out), start.len, out.len - start.len - 1),
               kl_span_str(want));
    kl_buf_done(&sent);
    kl_buf_done(&out);
    kl_rpc_worker_done(&worker);
}

KL_TEST(method_web3_and_net)
{
    check("web3_clientVersion", "[]", false, "\"result\":\"Keel/v0 \\\"x\\\"\"");
    check("web3_sha3", "[\"0x68656c6c6f20776f726c64\"]", false,
          "\"result\":\"0x47173285a8d7341e5e972fc677286384f802f8ef42a5ec5f03bbfa254cb01fad\"");
    check("web3_sha3", "[\"0x\"]", false,
          "\"result\":\"0xc5d2460186f7233c927e7db2dcc703c0e500b653ca82273b7bfad8045d85a470\"");
    check("web3_sha3", "[\"68\"]", false,
          "\"error\":{\"code\":-32602,\"message\":\"invalid argument 0: hex string without 0x "
          "prefix\"}");
    check("web3_sha3", "[]", false,
          "\"error\":{\"code\":-32602,\"message\":\"missing value for required argument 0\"}");
    check("net_listening", "[]", false, "\"result\":true");
    check("net_peerCount", "[]", false, "\"result\":\"0x3\"");
    check("rpc_modules", "[]", false,
          "\"result\":{\"net\":\"1.0\",\"rpc\":\"1.0\",\"web3\":\"1.0\"}");
    check("rpc_modules", "[]", true,
          "\"result\":{\"dev\":\"1.0\",\"net\":\"1.0\",\"rpc\":\"1.0\",\"web3\":\"1.0\"}");
}
