/* A chain that must contain one block, and a second history that is signed by all of the same
 * validators: whoever knows the block takes no part of it, by blocks, by state, or as it is made.
 */
#include <string.h>

#include "chain/fill.h"
#include "host/replica_rig_test.h"

static struct rig rig, other;

enum { PINNED = 20, HEIGHT = 30 };

/* Another history of the same genesis by the same keys; which block of it is pinned. */
static kl_pin other_history(u64 *seed)
{
    rig_init(&other, 4, 16, kl_rand(seed));
    rig_start(&other);
    CHECK_RULE(rig_submit(&other, 1, 2), KL_RULE_NONE);
    CHECK(rig_reaches(&other, HEIGHT, 600 * RIG_S));
    kl_pin pin = {PINNED, other.final[PINNED]};
    rig_done(&other);
    return pin;
}

/* The network that goes on, of which node 3 has lost its data. */
static void begin(u64 *seed)
{
    rig_init(&rig, 4, 16, kl_rand(seed));
    rig_start(&rig);
    CHECK_RULE(rig_submit(&rig, 0, 1), KL_RULE_NONE);
    CHECK(rig_reaches(&rig, HEIGHT, 600 * RIG_S));
    rig_crash(&rig, 3);
    rig_wipe(&rig, 3);
}

static kl_filler_status fill_status(void)
{
    kl_filler_status status;
    kl_filler_status_of(rig.nodes[3].filler, &status);
    return status;
}

/* Fills node 3; whether a state was asked for below height. */
static bool fills_below(u64 height)
{
    bool below = false;
    rig_fill(&rig, 3);
    for (u64 end_ns = rig.now_ns + 120 * RIG_S; rig.now_ns < end_ns;) {
        kl_filler_status s = fill_status();
        if (s.phase != KL_FILLER_RECORDS && s.phase != KL_FILLER_STATE)
            return below;
        below |= s.phase == KL_FILLER_STATE && s.height < height;
        CHECK(s.target >= height);
        rig_until(&rig, rig.now_ns + RIG_MS);
    }
    kl_test_fail(__FILE__, __LINE__, "it does not end");
}

static void check_names(const char *line, const kl_pin *pin, const kl_hash *found)
{
    char text[KL_PIN_TEXT_MAX];
    const kl_pin is = {pin->number, *found};
    kl_pin_text(text, pin);
    CHECK(strstr(line, text) != NULL);
    kl_pin_text(text, &is);
    CHECK(strstr(line, text) != NULL);
}

/* Node 3 stands below the pinned block, says why, and has signed nothing in this life. */
static void check_refused(const kl_pin *pin, usize signs)
{
    const struct rig_node *node = &rig.nodes[3];
    kl_replica_sync sync = kl_replica_sync_of(node->replica);
    kl_replica_why why;
    CHECK(kl_replica_health(node->replica) == KL_UNSUPPORTED);
    CHECK_U64(sync.height, pin->number - 1);
    CHECK(node->height < pin->number);
    CHECK(sync.off_pin && kl_hash_eq(&sync.found, &rig.final[pin->number]));
    kl_replica_why_of(node->replica, &why);
    check_names(why.text, pin, &sync.found);
    check_names(node->stall, pin, &sync.found);
    CHECK(strstr(node->alarm, "checkpoint") != NULL);
    CHECK_U64(node->signs, signs);
    CHECK_U64(node->penalties, 0); /* nobody has broken a rule of this chain */
}

KL_TEST(a_second_history_is_refused_by_blocks)
{
    const kl_pin pin = other_history(seed);
    begin(seed);
    CHECK(!kl_hash_eq(&pin.hash, &rig.final[PINNED]));
    rig.pin[3] = pin;
    for (int life = 0; life < 3; life++) {
        usize signs = rig.nodes[3].signs;
        rig_open(&rig, 3);
        rig_until(&rig, rig.now_ns + 10 * RIG_S);
        check_refused(&pin, signs);
        rig_crash_how(&rig, 3, (unsigned)kl_rand_below(seed, 3));
    }
    u64 height = rig.height;
    CHECK(rig_reaches(&rig, height + 5, 60 * RIG_S)); /* the others do not mind */
    rig_done(&rig);
}

KL_TEST(a_second_history_is_refused_by_state)
{
    const kl_pin pin = other_history(seed);
    begin(seed);
    rig.pin[3] = pin;
    for (int life = 0; life < 2; life++) {
        CHECK(!fills_below(pin.number));
        kl_filler_status s = fill_status();
        CHECK(s.phase == KL_FILLER_BROKEN && s.status == KL_UNSUPPORTED);
        CHECK(s.off_pin && kl_hash_eq(&s.found, &rig.final[PINNED]));
        CHECK_U64(s.height, PINNED - 1);
        CHECK_U64(s.leaves, 0);
        rig_crash_how(&rig, 3, (unsigned)kl_rand_below(seed, 3));
    }
    CHECK_U64(rig.nodes[3].penalties, 0);
    rig_done(&rig);
}

/* Who has the block goes on as without, and signs once it has it. */
KL_TEST(a_history_with_the_pinned_block_is_taken)
{
    for (int by_state = 0; by_state < 2; by_state++) {
        begin(seed);
        usize signs = rig.nodes[3].signs;
        rig.pin[3] = (kl_pin){PINNED, rig.final[PINNED]};
        if (by_state) {
            CHECK(!fills_below(PINNED));
            CHECK(fill_status().phase == KL_FILLER_WHOLE);
            rig_filled(&rig, 3);
        } else {
            rig_open(&rig, 3);
            while (rig.nodes[3].height < PINNED) {
                CHECK_U64(rig.nodes[3].signs, signs);
                rig_until(&rig, rig.now_ns + RIG_MS);
            }
        }
        CHECK(rig_reaches(&rig, rig.height + 20, 60 * RIG_S));
        CHECK(rig.nodes[3].signs > signs);
        CHECK(!kl_replica_sync_of(rig.nodes[3].replica).off_pin);
        rig_done(&rig);
    }
}

/* It follows what is being made, without a vote, and leaves where the paths part. */
KL_TEST(a_pinned_block_that_is_not_made_stops_who_waits_for_it)
{
    rig_init(&rig, 4, 16, kl_rand(seed));
    rig_start(&rig);
    CHECK(rig_reaches(&rig, 10, 600 * RIG_S));
    rig_crash(&rig, 3);
    usize signs = rig.nodes[3].signs;
    const kl_pin pin = {rig.height + 12, {.b = {1}}};
    rig.pin[3] = pin;
    rig_open(&rig, 3);
    CHECK_U64(kl_replica_sync_of(rig.nodes[3].replica).target, pin.number);
    CHECK(rig_reaches(&rig, rig.height + 3, 60 * RIG_S));
    while (rig.height < pin.number + 5)
        rig_until(&rig, rig.now_ns + RIG_S);
    check_refused(&pin, signs);
    rig_done(&rig);
}

/* No state is taken before the block is there, though the others have none that is newer. */
KL_TEST(a_state_below_the_pinned_block_is_not_taken)
{
    begin(seed);
    rig.pin[3] = (kl_pin){rig.height + 12, {.b = {1}}};
    CHECK(!fills_below(rig.pin[3].number));
    kl_filler_status s = fill_status();
    CHECK(s.phase == KL_FILLER_BROKEN && s.off_pin);
    CHECK_U64(s.height, rig.pin[3].number - 1);
    rig_done(&rig);
}

/* A folder that has another block there is not opened. */
KL_TEST(a_ledger_of_a_second_history_is_not_opened)
{
    struct kl_chain *chain;
    struct kl_fill *fill;
    kl_chain_report report;
    kl_span note;
    rig_init(&rig, 4, 16, kl_rand(seed));
    rig_start(&rig);
    CHECK(rig_reaches(&rig, HEIGHT, 600 * RIG_S));
    rig_crash(&rig, 3);
    rig.pin[3] = (kl_pin){PINNED, {.b = {1}}};
    kl_chain_config config = rig_chain_config(&rig, 3);
    CHECK(kl_chain_open(&chain, &config, NULL, &report) == KL_UNSUPPORTED);
    CHECK(report.off_pin && kl_hash_eq(&report.found, &rig.final[PINNED]));
    CHECK(kl_fill_open(&fill, &config, &note, &report) == KL_UNSUPPORTED);
    CHECK(report.off_pin && kl_hash_eq(&report.found, &rig.final[PINNED]));
    config.pin.hash = rig.final[PINNED];
    CHECK_OK(kl_chain_open(&chain, &config, NULL, &report));
    kl_chain_close(chain);
    rig_done(&rig);
}
