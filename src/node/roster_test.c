#include "node/roster.h"

#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>

#include "base/test.h"
#include "sim/disk.h"
#include "sys/fs.h"

static kl_multiaddr addr_of(const char *text)
{
    kl_multiaddr addr;
    CHECK_RULE(kl_multiaddr_parse(&addr, kl_span_str(text)), KL_RULE_NONE);
    return addr;
}

static void random_id(u64 *seed, kl_peer_id *out)
{
    kl_rand_fill(seed, out->key, sizeof out->key);
}

static void round_trip(const kl_roster *roster)
{
    struct kl_sim_disk *disk;
    kl_rule broken;
    kl_roster *back = calloc(1, sizeof *back);
    CHECK(back);
    CHECK_OK(kl_sim_disk_new(&disk));
    struct kl_fs *fs = kl_sim_disk_fs(disk);
    CHECK(kl_roster_load(fs, back, &broken) == KL_NOTFOUND);
    CHECK_OK(kl_roster_save(fs, roster));
    CHECK(kl_roster_save(fs, roster) == KL_BUSY);
    CHECK_OK(kl_roster_load(fs, back, &broken));
    CHECK_RULE(broken, KL_RULE_NONE);
    CHECK(back->open == roster->open && back->says_where == roster->says_where);
    CHECK(kl_multiaddr_eq(&back->listen, &roster->listen));
    CHECK_U64(back->announce_count, roster->announce_count);
    for (usize i = 0; i < back->announce_count; i++)
        CHECK(kl_multiaddr_eq(&back->announce[i], &roster->announce[i]));
    CHECK_U64(back->peer_count, roster->peer_count);
    for (u32 i = 0; i < back->peer_count; i++)
        CHECK(kl_multiaddr_eq(&back->peers[i], &roster->peers[i]));
    CHECK_U64(back->allow_count, roster->allow_count);
    for (u32 i = 0; i < back->allow_count; i++)
        CHECK(kl_peer_id_eq(&back->allow[i], &roster->allow[i]));
    CHECK_U64(back->sentry_count, roster->sentry_count);
    for (u32 i = 0; i < back->sentry_count; i++)
        CHECK(kl_multiaddr_eq(&back->sentries[i], &roster->sentries[i]));
    CHECK_U64(back->guard_count, roster->guard_count);
    for (u32 i = 0; i < back->guard_count; i++)
        CHECK(kl_peer_id_eq(&back->guards[i], &roster->guards[i]));
    CHECK_U64(back->checkpoint.number, roster->checkpoint.number);
    CHECK(kl_hash_eq(&back->checkpoint.hash, &roster->checkpoint.hash));
    kl_sim_disk_free(disk);
    free(back);
}

KL_TEST(roster_round_trip)
{
    static kl_roster roster;
    roster = (kl_roster){.listen = addr_of("/ip6/::/tcp/9"), .open = true};
    round_trip(&roster);
    roster.says_where = true;
    round_trip(&roster);
    roster.open = false;
    roster.announce[roster.announce_count++] = addr_of("/dns4/node.example/tcp/30300");
    roster.announce[roster.announce_count++] = addr_of("/ip4/192.0.2.1/tcp/1");
    roster.peers[roster.peer_count++] = addr_of("/dns/door.example/tcp/7");
    for (; roster.peer_count < KL_ROSTER_PEERS_MAX; roster.peer_count++) {
        kl_multiaddr *peer = &roster.peers[roster.peer_count];
        *peer = addr_of(roster.peer_count % 2 ? "/ip4/127.0.0.1/tcp/1" : "/dns6/b.example/tcp/1");
        peer->has_peer = true;
        random_id(seed, &peer->peer);
    }
    for (; roster.allow_count < KL_ROSTER_PEERS_MAX; roster.allow_count++)
        random_id(seed, &roster.allow[roster.allow_count]);
    for (; roster.guard_count < KL_ROSTER_GUARDS_MAX; roster.guard_count++)
        random_id(seed, &roster.guards[roster.guard_count]);
    roster.checkpoint.number = UINT64_MAX;
    kl_rand_fill(seed, roster.checkpoint.hash.b, sizeof roster.checkpoint.hash.b);
    round_trip(&roster);
}

KL_TEST(roster_round_trip_behind_sentries)
{
    static kl_roster roster;
    roster = (kl_roster){.listen = addr_of("/ip4/0.0.0.0/tcp/9")};
    for (; roster.sentry_count < KL_ROSTER_SENTRIES_MAX; roster.sentry_count++) {
        kl_multiaddr *sentry = &roster.sentries[roster.sentry_count];
        *sentry = addr_of("/dns/sentry.example/tcp/30300");
        sentry->has_peer = true;
        random_id(seed, &sentry->peer);
    }
    round_trip(&roster);
}

#define ID     "12D3KooWDpJ7As7BWAwRMfu1VU2WCqNjvq387JEYKDBj4kx6nXTN"
#define LISTEN "{\"version\":2,\"listen\":\"/ip4/1.2.3.4/tcp/5\",\"open\":false,\"peers\":["
#define PEERS  LISTEN "]"
#define DIGITS "5c000000000000000000000000000000000000000000000000000000000000ab"

KL_TEST(roster_refuses)
{
    static const struct {
        const char *text;
        kl_rule rule;
    } rows[] = {
        {"", KL_RULE_JSON_SYNTAX},
        {"[]", KL_RULE_ROSTER_FORM},
        {"{}", KL_RULE_ROSTER_VERSION},
        {"{\"version\":1}", KL_RULE_ROSTER_VERSION},
        {"{\"version\":\"2\"}", KL_RULE_ROSTER_VERSION},
        {"{\"version\":2}", KL_RULE_ROSTER_FORM},
        {"{\"version\":2,\"listen\":7}", KL_RULE_ROSTER_FORM},
        {"{\"version\":2,\"listen\":\"x\"}", KL_RULE_MULTIADDR_FORM},
        {"{\"version\":2,\"listen\":\"/dns/a/tcp/5\"}", KL_RULE_ROSTER_LISTEN},
        {"{\"version\":2,\"listen\":\"/ip4/1.2.3.4\"}", KL_RULE_ROSTER_LISTEN},
        {"{\"version\":2,\"listen\":\"/ip4/1.2.3.4/tcp/5/p2p/" ID "\"}", KL_RULE_ROSTER_LISTEN},
        {"{\"version\":2,\"listen\":\"/ip4/1.2.3.4/tcp/5\",\"peers\":[]}", KL_RULE_ROSTER_FORM},
        {PEERS "}", KL_RULE_NONE},
        {PEERS ",\"open\":1}", KL_RULE_ROSTER_FORM},
        {PEERS ",\"opened\":true}", KL_RULE_ROSTER_MEMBER},
        {LISTEN "7]}", KL_RULE_ROSTER_FORM},
        {LISTEN "\"/ip4/1.2.3.4/tcp/5\"]}", KL_RULE_NONE},
        {LISTEN "\"/ip4/1.2.3.4/tcp/0\"]}", KL_RULE_ROSTER_ADDRESS},
        {LISTEN "\"/ip4/1.2.3.4\"]}", KL_RULE_ROSTER_ADDRESS},
        {LISTEN "\"/p2p/" ID "\"]}", KL_RULE_ROSTER_ADDRESS},
        {LISTEN "\"/ip4/1.2.3.4/udp/5\"]}", KL_RULE_MULTIADDR_KIND},
        {LISTEN "\"/ip4/1.2.3.4/tcp/5\",\"/ip4/1.2.3.4/tcp/5\"]}", KL_RULE_ROSTER_FORM},
        {PEERS ",\"announce\":[\"/ip4/1.2.3.4/tcp/5/p2p/" ID "\"]}", KL_RULE_ROSTER_ADDRESS},
        {PEERS ",\"announce\":\"/ip4/1.2.3.4/tcp/5\"}", KL_RULE_ROSTER_FORM},
        {PEERS ",\"allow\":[\"" ID "\"]}", KL_RULE_NONE},
        {PEERS ",\"allow\":[7]}", KL_RULE_ROSTER_FORM},
        {PEERS ",\"checkpoint\":7}", KL_RULE_ROSTER_FORM},
        {PEERS ",\"checkpoint\":\"7\"}", KL_RULE_PIN_FORM},
        {PEERS ",\"checkpoint\":\"7:0x" DIGITS "\"}", KL_RULE_NONE},
        {PEERS ",\"open\":true,\"allow\":[\"" ID "\"]}", KL_RULE_ROSTER_OPEN},
        {PEERS ",\"sentries\":[\"/dns/a/tcp/5/p2p/" ID "\"]}", KL_RULE_NONE},
        {PEERS ",\"sentries\":[\"/dns/a/tcp/5\"]}", KL_RULE_ROSTER_ADDRESS},
        {PEERS ",\"sentries\":[\"/dns/a/tcp/5/p2p/" ID "\"],\"open\":true}",
         KL_RULE_ROSTER_SENTRIES},
        {PEERS ",\"sentries\":[\"/dns/a/tcp/5/p2p/" ID "\"],\"guards\":[\"" ID "\"]}",
         KL_RULE_ROSTER_SENTRIES},
        {LISTEN "\"/ip4/1.2.3.4/tcp/5\"],\"sentries\":[\"/dns/a/tcp/5/p2p/" ID "\"]}",
         KL_RULE_ROSTER_SENTRIES},
    };
    static kl_roster roster;
    roster.peer_count = 77;
    for (usize i = 0; i < KL_COUNT_OF(rows); i++) {
        struct kl_sim_disk *disk;
        struct kl_file *file;
        kl_rule broken;
        CHECK_OK(kl_sim_disk_new(&disk));
        struct kl_fs *fs = kl_sim_disk_fs(disk);
        CHECK_OK(kl_fs_open(fs, &file, "network.json", KL_OPEN_CREATE));
        CHECK_OK(kl_file_write(file, rows[i].text, strlen(rows[i].text), 0));
        kl_file_close(file);
        CHECK_OK(kl_roster_load(fs, &roster, &broken));
        CHECK_RULE(broken, rows[i].rule);
        CHECK(i > 3 || roster.peer_count == 77);
        kl_sim_disk_free(disk);
    }
}

KL_TEST(node_key_round_trip)
{
    char dir[] = "/tmp/keel-node-XXXXXX", path[64];
    struct kl_fs *fs;
    kl_secret32 key, back;
    CHECK(mkdtemp(dir));
    CHECK_OK(kl_sys_fs_open(&fs, dir));
    kl_rand_fill(seed, key.b, 32);
    CHECK(kl_node_key_load(fs, &back) == KL_NOTFOUND);
    CHECK_OK(kl_node_key_save(fs, &key));
    CHECK(kl_node_key_save(fs, &key) == KL_BUSY);
    CHECK_OK(kl_node_key_load(fs, &back));
    CHECK(memcmp(key.b, back.b, 32) == 0);
    snprintf(path, sizeof path, "%s/node.key", dir);
    CHECK(chmod(path, 0604) == 0);
    CHECK(kl_node_key_load(fs, &back) == KL_DENIED);
    kl_sys_fs_close(fs);
    kl_test_remove(dir);
}
