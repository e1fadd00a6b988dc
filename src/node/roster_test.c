#include "node/roster.h"

#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>

#include "base/test.h"
#include "sim/disk.h"
#include "sys/fs.h"

KL_TEST(net_peer_addresses)
{
    kl_net_peer peer, back;
    char text[KL_NET_ADDRESS_MAX];
    static const char *const good[] = {"/ip4/127.0.0.1/tcp/30301", "/ip6/::1/tcp/65535",
                                       "/ip4/10.0.0.7/tcp/0"};
    for (usize i = 0; i < KL_COUNT_OF(good); i++) {
        CHECK_RULE(kl_net_peer_parse(&peer, kl_span_str(good[i]), false), KL_RULE_NONE);
        kl_net_peer_text(text, &peer, false);
        CHECK_SPAN(kl_span_str(text), kl_span_str(good[i]));
        kl_rand_fill(seed, peer.id.key, 32);
        kl_net_peer_text(text, &peer, true);
        CHECK_RULE(kl_net_peer_parse(&back, kl_span_str(text), true), KL_RULE_NONE);
        CHECK(kl_peer_id_eq(&peer.id, &back.id) && back.port == peer.port);
        CHECK(kl_net_peer_parse(&back, kl_span_str(text), false) != KL_RULE_NONE);
        CHECK(kl_net_peer_parse(&back, kl_span_of(text, strlen(text) - 1), true) != KL_RULE_NONE);
    }
    static const char *const bad[] = {"",
                                      "/",
                                      "127.0.0.1:1",
                                      "/ip4/127.0.0.1",
                                      "/ip4/127.0.0.1/tcp",
                                      "/ip4/127.0.0.1/tcp/",
                                      "/ip4/127.0.0.1/tcp/65536",
                                      "/ip4/127.0.0.1/tcp/01",
                                      "/ip4/127.0.0.1/tcp/1/",
                                      "/ip4/::1/tcp/1",
                                      "/ip4/127.0.0.300/tcp/1",
                                      "/ip4/127.0.0.1/udp/1",
                                      "/dns/localhost/tcp/1",
                                      "/ip4//tcp/1",
                                      "/ip4/127.0.0.1/tcp/1x"};
    for (usize i = 0; i < KL_COUNT_OF(bad); i++)
        CHECK_RULE(kl_net_peer_parse(&peer, kl_span_str(bad[i]), false), KL_RULE_ROSTER_ADDRESS);
}

KL_TEST(roster_round_trip)
{
    struct kl_sim_disk *disk;
    static kl_roster roster, back;
    kl_rule broken;
    CHECK_OK(kl_sim_disk_new(&disk));
    struct kl_fs *fs = kl_sim_disk_fs(disk);
    CHECK(kl_roster_load(fs, &back, &broken) == KL_NOTFOUND);
    CHECK_RULE(kl_net_peer_parse(&roster.listen, KL_SPAN_TEXT("/ip4/0.0.0.0/tcp/9"), false),
               KL_RULE_NONE);
    for (roster.peer_count = 0; roster.peer_count < KL_SWARM_PEERS_MAX; roster.peer_count++) {
        kl_net_peer *p = &roster.peers[roster.peer_count];
        *p = roster.listen;
        kl_rand_fill(seed, p->id.key, 32);
        p->port = (u16)roster.peer_count;
    }
    CHECK_OK(kl_roster_save(fs, &roster));
    CHECK(kl_roster_save(fs, &roster) == KL_BUSY);
    CHECK_OK(kl_roster_load(fs, &back, &broken));
    CHECK_RULE(broken, KL_RULE_NONE);
    CHECK_U64(back.peer_count, roster.peer_count);
    for (u32 i = 0; i < back.peer_count; i++)
        CHECK(kl_peer_id_eq(&back.peers[i].id, &roster.peers[i].id) && back.peers[i].port == i);
    kl_sim_disk_free(disk);
}

KL_TEST(roster_refuses)
{
    static const struct {
        const char *text;
        kl_rule rule;
    } rows[] = {
        {"", KL_RULE_JSON_SYNTAX},
        {"{}", KL_RULE_ROSTER_FORM},
        {"{\"listen\":\"/ip4/1.2.3.4/tcp/5\"}", KL_RULE_ROSTER_FORM},
        {"{\"listen\":7,\"peers\":[]}", KL_RULE_ROSTER_FORM},
        {"{\"listen\":\"x\",\"peers\":[]}", KL_RULE_ROSTER_ADDRESS},
        {"{\"listen\":\"/ip4/1.2.3.4/tcp/5\",\"peers\":[7]}", KL_RULE_ROSTER_FORM},
        {"{\"listen\":\"/ip4/1.2.3.4/tcp/5\",\"peers\":[\"/ip4/1.2.3.4/tcp/5\"]}",
         KL_RULE_ROSTER_ADDRESS},
        {"{\"listen\":\"/ip4/1.2.3.4/tcp/5\",\"peers\":[]}", KL_RULE_NONE},
    };
    for (usize i = 0; i < KL_COUNT_OF(rows); i++) {
        struct kl_sim_disk *disk;
        struct kl_file *file;
        static kl_roster roster;
        kl_rule broken;
        CHECK_OK(kl_sim_disk_new(&disk));
        struct kl_fs *fs = kl_sim_disk_fs(disk);
        CHECK_OK(kl_fs_open(fs, &file, "network.json", KL_OPEN_CREATE));
        CHECK_OK(kl_file_write(file, rows[i].text, strlen(rows[i].text), 0));
        kl_file_close(file);
        CHECK_OK(kl_roster_load(fs, &roster, &broken));
        CHECK_RULE(broken, rows[i].rule);
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
