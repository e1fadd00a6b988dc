/* Any bytes as network.json: what is taken is saved and loaded again as itself. */
#include "base/fuzz.h"
#include "node/roster.h"
#include "sim/disk.h"

enum { TEXT_MAX = 1 << 17 };

#define NAME "network.json"

static void put(struct kl_fs *fs, kl_span text)
{
    struct kl_file *file;
    KL_ASSERT(kl_fs_open(fs, &file, NAME, KL_OPEN_CREATE) == KL_OK);
    KL_ASSERT(kl_file_write(file, text.p, text.len, 0) == KL_OK);
    kl_file_close(file);
}

static usize get(struct kl_fs *fs, u8 text[TEXT_MAX])
{
    struct kl_file *file;
    u64 size;
    KL_ASSERT(kl_fs_open(fs, &file, NAME, KL_OPEN_READ) == KL_OK);
    KL_ASSERT(kl_file_size(file, &size) == KL_OK && size <= TEXT_MAX);
    KL_ASSERT(kl_file_read(file, text, (usize)size, 0) == KL_OK);
    kl_file_close(file);
    return (usize)size;
}

/* Saves it in the place of what is there. */
static usize save(struct kl_fs *fs, const kl_roster *roster, u8 text[TEXT_MAX])
{
    KL_ASSERT(kl_fs_unlink(fs, NAME) == KL_OK);
    KL_ASSERT(kl_roster_save(fs, roster) == KL_OK);
    return get(fs, text);
}

int LLVMFuzzerTestOneInput(const u8 *bytes, usize len)
{
    static kl_roster roster, again;
    static u8 texts[2][TEXT_MAX];
    struct kl_sim_disk *disk;
    kl_rule broken;
    KL_ASSERT(kl_sim_disk_new(&disk) == KL_OK);
    struct kl_fs *fs = kl_sim_disk_fs(disk);
    put(fs, kl_span_of(bytes, KL_MIN(len, (usize)TEXT_MAX)));
    if (kl_roster_load(fs, &roster, &broken) == KL_OK && broken == KL_RULE_NONE) {
        usize first = save(fs, &roster, texts[0]);
        KL_ASSERT(kl_roster_load(fs, &again, &broken) == KL_OK && broken == KL_RULE_NONE);
        usize second = save(fs, &again, texts[1]);
        KL_ASSERT(first == second && memcmp(texts[0], texts[1], first) == 0);
    }
    kl_sim_disk_free(disk);
    return 0;
}
