/* Writes bundles, good ones and corrupt ones, for others to judge: tests/light.
 *
 *     light_bundles FOLDER SEED CHAINS BUNDLES
 *
 * A chain each gets a folder: anchor.json says what is trusted, a genesis hash or a checkpoint;
 * bundles/0000.json and so on are the bundles; intents tells what was done to each, for whoever
 * compares verdicts, and nobody who makes them. */
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "light/light_rig_priv.h"

static FILE *create(const char *path)
{
    FILE *file = fopen(path, "wb");
    KL_ASSERT(file);
    return file;
}

static void write_file(const char *path, struct kl_buf *text)
{
    FILE *file = create(path);
    KL_ASSERT(!text->failed && fwrite(text->p, 1, text->len, file) == text->len);
    KL_ASSERT(fclose(file) == 0);
    kl_buf_clear(text);
}

static void go(const char *folder)
{
    KL_ASSERT(chdir(folder) == 0);
}

static void make_folder(const char *path)
{
    KL_ASSERT(mkdir(path, 0777) == 0);
}

static void write_anchor(light_rig *rig, usize epoch, struct kl_buf *text)
{
    static struct kl_light light;
    kl_rule broken;
    struct kl_json_out out = kl_json_out_to(text);
    if (epoch) {
        kl_light_checkpoint checkpoint = light_rig_checkpoint(rig, epoch);
        KL_ASSERT(kl_light_resume(&light, &checkpoint, &rig->arena, &broken) == KL_OK &&
                  broken == KL_RULE_NONE);
        KL_ASSERT(kl_light_checkpoint_put(&out, &light, &rig->arena) == KL_OK);
    } else {
        kl_json_put_object(&out);
        kl_json_add_hash(&out, "genesisHash", &rig->domain.genesis_hash);
        kl_json_put_object_end(&out);
    }
    write_file("anchor.json", text);
}

/* One bundle into text; says what was done to it. */
static const char *make_bundle(light_rig *rig, usize epoch, struct kl_buf *text, u64 *seed)
{
    kl_light_bundle bundle, was;
    u64 number, how = kl_rand_below(seed, 8);
    rig_style style = {.upper = kl_rand_below(seed, 4) == 0,
                       .padded = kl_rand_below(seed, 4) == 0,
                       .extra = kl_rand_below(seed, 4) == 0};
    const char *name = how < 2 ? "good" : "a spoilt value";
    usize first = light_rig_make(rig, &bundle, &number, epoch, seed);
    for (was = bundle; how > 2; bundle = was) {
        const rig_corruption *c = &light_corruptions[kl_rand_below(seed, light_corruption_count)];
        name = c->name;
        if (c->run(rig, &bundle, first, seed))
            break;
    }
    if (how == 2) {
        usize values = light_rig_write(text, &bundle, &style);
        style.spoil = 1 + kl_rand_below(seed, values);
        style.how = (unsigned)kl_rand_below(seed, 12);
        kl_buf_clear(text);
    }
    light_rig_write(text, &bundle, &style);
    return name;
}

static void write_chain(const char *folder, u8 scheme, usize bundles, u64 *seed)
{
    struct kl_buf text;
    kl_buf_init(&text, SIZE_MAX / 2);
    light_rig *rig = light_rig_new(scheme, seed);
    usize epoch = kl_rand_below(seed, rig->epoch_count);
    make_folder(folder);
    go(folder);
    write_anchor(rig, epoch, &text);
    make_folder("bundles");
    FILE *intents = create("intents");
    for (usize i = 0; i < bundles; i++) {
        char path[48];
        snprintf(path, sizeof path, "bundles/%04zu.json", i);
        fprintf(intents, "%s %s\n", path, make_bundle(rig, epoch, &text, seed));
        write_file(path, &text);
    }
    KL_ASSERT(fclose(intents) == 0);
    go("..");
    light_rig_free(rig);
    kl_buf_done(&text);
}

int main(int argc, char **argv)
{
    enum { BLS_EVERY = 6 };
    if (argc != 5) {
        fprintf(stderr, "usage: light_bundles FOLDER SEED CHAINS BUNDLES\n");
        return 2;
    }
    u64 seed = strtoull(argv[2], NULL, 0), chains = strtoull(argv[3], NULL, 0);
    go(argv[1]);
    for (u64 i = 0; i < chains; i++) {
        char folder[24];
        snprintf(folder, sizeof folder, "%04llu", (unsigned long long)i);
        write_chain(folder, i % BLS_EVERY ? KL_SCHEME_SECP256K1 : KL_SCHEME_BLS12_381,
                    strtoull(argv[4], NULL, 0), &seed);
    }
    return 0;
}
