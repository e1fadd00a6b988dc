/* main: keel-evil. */
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>

#include "codec/hex.h"
#include "evil/evil.h"
#include "p2p/multiaddr.h"

#define NS_PER_S 1000000000u

enum { GENESIS_MAX = 8 << 20 };

static const char usage[] =
    "keel-evil ATTACK --target MULTIADDR --digest DIGITS [OPTION VALUE]...\n"
    "keel-evil list\n"
    "keel-evil id FILE\n\n"
    "Attacks a node, to test it; `list` says what attacks there are, `id` whose identity a file\n"
    "has.\n\n"
    "  --target    /ip4/127.0.0.1/tcp/30300/p2p/12D3KooW...; may be given again\n"
    "  --digest    the first 8 digits of the network's genesis hash\n"
    "  --chain-id  of the network (1)\n"
    "  --scheme    of its votes: 1 secp256k1, 2 bls12-381 (1)\n"
    "  --identity  a file: node.key, of a peer that is let in\n"
    "  --key       of an account with funds, 64 digits\n"
    "  --vote-key  of a validator, 64 digits; --signer its place in the set; --genesis the hash\n"
    "  --randao-key, --genesis-file  of that validator, and its network's, for who leads\n"
    "  --seconds   how long (2)\n"
    "  --rate      steps a second, at most\n"
    "  --dials     a second, at most\n"
    "  --wires     connections at once\n"
    "  --from      an IPv4 address that connections come from, and /N: N of them, in turn\n"
    "  --cpu       percent of one processor, at most\n";

static int fail(const char *what, const char *value)
{
    fprintf(stderr, "keel-evil: %s %s\n", what, value);
    return 2;
}

static bool number(u64 *out, const char *text, u64 max)
{
    char *end;
    errno = 0;
    unsigned long long v = strtoull(text, &end, 10);
    if (errno || *end || end == text || v > max)
        return false;
    *out = v;
    return true;
}

static bool secret(kl_secret32 *out, const char *digits)
{
    kl_span text = kl_span_str(digits);
    if (text.len >= 2 && digits[0] == '0' && digits[1] == 'x')
        text = kl_span_sub(text, 2, text.len - 2);
    return text.len == 64 && kl_hex_parse(out->b, 32, text) == KL_RULE_NONE;
}

static bool hash(kl_hash *out, const char *digits)
{
    kl_secret32 bytes;
    bool good = secret(&bytes, digits);
    memcpy(out->b, bytes.b, sizeof out->b);
    return good;
}

static bool secret_file(kl_secret32 *out, const char *path)
{
    char text[65] = "";
    FILE *file = fopen(path, "re");
    if (!file)
        return false;
    usize len = fread(text, 1, 64, file);
    (void)fclose(file);
    return len == 64 && secret(out, text);
}

static bool whole_file(kl_span *out, const char *path)
{
    static u8 text[GENESIS_MAX];
    FILE *file = fopen(path, "re");
    if (!file)
        return false;
    usize len = fread(text, 1, sizeof text, file);
    (void)fclose(file);
    *out = kl_span_of(text, len);
    return len > 0 && len < sizeof text;
}

static bool target(kl_evil_config *c, const char *text)
{
    kl_multiaddr a;
    if (kl_multiaddr_parse(&a, kl_span_str(text)) != KL_RULE_NONE || a.host != KL_HOST_IP4 ||
        !a.has_port || !a.has_peer || c->target_count == KL_EVIL_TARGETS_MAX)
        return false;
    kl_evil_target *t = &c->targets[c->target_count++];
    snprintf(t->host, sizeof t->host, "%u.%u.%u.%u", a.ip[0], a.ip[1], a.ip[2], a.ip[3]);
    t->port = a.port;
    t->id = a.peer;
    return true;
}

static bool from(kl_evil_config *c, const char *text)
{
    int end = 0, more = 0;
    c->from_count = 1;
    if (sscanf(text, "%hhu.%hhu.%hhu.%hhu%n", &c->from[0], &c->from[1], &c->from[2], &c->from[3],
               &end) != 4)
        return false;
    if (text[end] && (sscanf(text + end, "/%u%n", &c->from_count, &more) != 1 || text[end + more]))
        return false;
    return c->from_count > 0;
}

static bool set(kl_evil_config *c, const char *name, const char *value)
{
    u64 n = 0;
    if (strcmp(name, "--target") == 0)
        return target(c, value);
    if (strcmp(name, "--from") == 0)
        return from(c, value);
    if (strcmp(name, "--digest") == 0)
        return snprintf(c->digest, sizeof c->digest, "%s", value) == 8;
    if (strcmp(name, "--identity") == 0)
        return c->has_identity = secret_file(&c->identity, value);
    if (strcmp(name, "--key") == 0)
        return c->has_key = secret(&c->key, value);
    if (strcmp(name, "--vote-key") == 0)
        return c->has_vote_key = secret(&c->vote_key, value);
    if (strcmp(name, "--randao-key") == 0)
        return secret(&c->randao_key, value);
    if (strcmp(name, "--genesis-file") == 0)
        return whole_file(&c->genesis_text, value);
    if (strcmp(name, "--genesis") == 0)
        return hash(&c->genesis, value);
    if (strcmp(name, "--chain-id") == 0)
        return number(&c->chain_id, value, UINT64_MAX);
    if (strcmp(name, "--rate") == 0)
        return number(&c->step_rate, value, NS_PER_S);
    if (strcmp(name, "--dials") == 0)
        return number(&c->dial_rate, value, NS_PER_S);
    if (!number(&n, value, UINT32_MAX))
        return false;
    if (strcmp(name, "--seconds") == 0)
        c->duration_ns = n * NS_PER_S;
    else if (strcmp(name, "--scheme") == 0)
        c->scheme = n <= 2 ? kl_vote_scheme_of((u8)n, false) : NULL;
    else if (strcmp(name, "--signer") == 0)
        c->signer = (u32)n;
    else if (strcmp(name, "--wires") == 0)
        c->wires = n <= KL_EVIL_WIRES_MAX ? (u32)n : 0;
    else if (strcmp(name, "--cpu") == 0)
        c->cpu_percent = (u32)n;
    else
        return false;
    return c->scheme != NULL;
}

static int list(void)
{
    for (usize i = 0; kl_evil_at(i); i++) {
        const struct evil_attack *a = kl_evil_at(i);
        printf("{\"attack\":\"%s\",\"wires\":%u,\"votes\":%s,\"leads\":%s,\"rule\":\"%s\","
               "\"why\":\"%s\",\"text\":\"%s\"}\n",
               kl_evil_name(a), kl_evil_wires(a), kl_evil_votes(a) ? "true" : "false",
               kl_evil_leads(a) ? "true" : "false", kl_evil_rule(a), kl_evil_why(a),
               kl_evil_text(a));
    }
    return 0;
}

static int print_id(const char *path)
{
    kl_secret32 identity;
    char text[KL_BASE58_TEXT_MAX];
    if (!secret_file(&identity, path))
        return fail("no identity:", path);
    kl_peer_id id = kl_peer_id_of(&identity);
    (void)kl_peer_id_text(text, &id);
    printf("%s\n", text);
    return 0;
}

static void print(const char *name, const kl_evil_report *r)
{
    const struct {
        const char *name;
        u64 value;
    } rows[] = {{"dials", r->dials},      {"refused", r->refused}, {"reached", r->reached},
                {"dropped", r->dropped},  {"steps", r->steps},     {"bytesOut", r->bytes_out},
                {"bytesIn", r->bytes_in}, {"heard", r->heard},     {"certified", r->certified},
                {"cpuNs", r->cpu_ns}};
    printf("{\"attack\":\"%s\"", name);
    for (usize i = 0; i < KL_COUNT_OF(rows); i++)
        printf(",\"%s\":%llu", rows[i].name, (unsigned long long)rows[i].value);
    printf("}\n");
}

int main(int argc, char **argv)
{
    kl_evil_report report;
    kl_evil_config config = {.chain_id = 1,
                             .scheme = kl_vote_scheme_of(KL_SCHEME_SECP256K1, false),
                             .duration_ns = 2 * (u64)NS_PER_S};
    if (argc == 2 && strcmp(argv[1], "list") == 0)
        return list();
    if (argc == 3 && strcmp(argv[1], "id") == 0)
        return print_id(argv[2]);
    if (argc < 2 || argc % 2) {
        fputs(usage, stderr);
        return 2;
    }
    const struct evil_attack *attack = kl_evil_find(argv[1]);
    if (!attack)
        return fail("no such attack:", argv[1]);
    for (int i = 2; i < argc; i += 2)
        if (!set(&config, argv[i], argv[i + 1]))
            return fail(argv[i], argv[i + 1]);
    if (!config.target_count || strlen(config.digest) != 8)
        return fail("--target and --digest", "are needed");
    KL_ASSERT(signal(SIGPIPE, SIG_IGN) != SIG_ERR);
    kl_status status = kl_evil_run(&report, &config, attack);
    if (status != KL_OK)
        return fail(argv[1], kl_status_text(status));
    print(argv[1], &report);
    return 0;
}
