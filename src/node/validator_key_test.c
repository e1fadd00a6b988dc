#include "node/validator_key.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/test.h"
#include "crypto/bls_sign.h"
#include "sys/fs.h"

static char dir[] = "/tmp/keel-key-XXXXXX";

static struct kl_fs *folder(void)
{
    struct kl_fs *fs;
    memcpy(dir + sizeof dir - 7, "XXXXXX", 6);
    CHECK(mkdtemp(dir));
    CHECK_OK(kl_sys_fs_open(&fs, dir));
    return fs;
}

static void write_key(const char *text)
{
    char path[64];
    snprintf(path, sizeof path, "%s/key.json", dir);
    unlink(path);
    int fd = open(path, O_CREAT | O_WRONLY | O_EXCL, 0600);
    CHECK(fd >= 0 && write(fd, text, strlen(text)) == (ssize_t)strlen(text));
    close(fd);
}

static const char good[] =
    "{\"version\": 1, \"scheme\": \"secp256k1\",\n"
    " \"operator\": \"0x0101010101010101010101010101010101010101010101010101010101010101\",\n"
    " \"vote\": \"0x0202020202020202020202020202020202020202020202020202020202020202\",\n"
    " \"randao\": \"0x0303030303030303030303030303030303030303030303030303030303030303\"}\n";

/* What is saved is loaded, is never written over, and is its owner's alone. */
KL_TEST(validator_key_round_trip)
{
    static const u8 schemes[] = {KL_SCHEME_SECP256K1, KL_SCHEME_BLS12_381};
    for (usize i = 0; i < sizeof schemes; i++) {
        struct kl_fs *fs = folder();
        kl_validator_key key, back;
        char path[64];
        kl_validator_key_new(&key, kl_vote_scheme_of(schemes[i], false));
        CHECK(kl_validator_key_load(fs, &back) == KL_NOTFOUND);
        CHECK_OK(kl_validator_key_save(fs, &key));
        CHECK(kl_validator_key_save(fs, &key) == KL_BUSY);
        CHECK_OK(kl_validator_key_load(fs, &back));
        CHECK(key.scheme == back.scheme && memcmp(&key, &back, sizeof key) == 0);
        snprintf(path, sizeof path, "%s/key.json", dir);
        CHECK(chmod(path, 0640) == 0);
        CHECK(kl_validator_key_load(fs, &back) == KL_DENIED);
        kl_sys_fs_close(fs);
        kl_test_remove(dir);
    }
}

/* What others learn of it proves what it should. */
KL_TEST(validator_key_entry_proves_itself)
{
    static const u8 schemes[] = {KL_SCHEME_SECP256K1, KL_SCHEME_BLS12_381};
    for (usize i = 0; i < sizeof schemes; i++) {
        const kl_vote_scheme *scheme = kl_vote_scheme_of(schemes[i], false);
        kl_validator_key key;
        kl_policy_entry entry;
        kl_validator_proofs room;
        kl_validator_key_new(&key, scheme);
        kl_validator_key_entry(&entry, &room, &key, 7);
        CHECK_U64(entry.validator.weight, 7);
        CHECK(scheme->check_key(entry.validator.key, entry.key_proof));
        CHECK(kl_bls_check_proof(entry.validator.randao_key, entry.randao_proof.p));
    }
}

KL_TEST(validator_key_refuses)
{
    static const struct {
        const char *what, *by;
    } rows[] = {
        {"\"version\": 1", "\"version\": 2"},
        {"\"version\": 1", "\"version\": \"1\""},
        {"secp256k1", "keyed-hash"},
        {"\"vote\"", "\"note\""},
        {"0x02", "0x"},
        {"0x02", "0z02"},
        {"}", ""},
    };
    struct kl_fs *fs = folder();
    kl_validator_key key = {0};
    for (usize i = 0; i < KL_COUNT_OF(rows); i++) {
        char text[600];
        const char *at = strstr(good, rows[i].what);
        snprintf(text, sizeof text, "%.*s%s%s", (int)(at - good), good, rows[i].by,
                 at + strlen(rows[i].what));
        write_key(text);
        CHECK(kl_validator_key_load(fs, &key) == KL_CORRUPT);
        CHECK(!key.scheme);
    }
    write_key(
        "{\"version\": 1, \"scheme\": \"secp256k1\","
        " \"operator\": \"0x0000000000000000000000000000000000000000000000000000000000000000\","
        " \"vote\": \"0x0202020202020202020202020202020202020202020202020202020202020202\","
        " \"randao\": "
        "\"0x0303030303030303030303030303030303030303030303030303030303030303\"}");
    CHECK(kl_validator_key_load(fs, &key) == KL_CORRUPT);
    write_key(good);
    CHECK_OK(kl_validator_key_load(fs, &key));
    kl_sys_fs_close(fs);
    kl_test_remove(dir);
}
