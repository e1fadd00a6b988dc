#include "sync/statesync_rig.h"

#include "base/test.h"

#define S 1000000000ull

enum { PEERS = 6, QUESTIONS_MAX = 64 };

static statesync_world worlds[3];
static statesync_flat flat, kept;
static u8 kept_note[KL_STATESYNC_NOTE_MAX];
static usize kept_note_len;
static struct kl_arena arena, scratch;
static _Alignas(64) u8 room[1 << 16];
static struct kl_statesync *sync;
static kl_statesync_effects out;
static u64 now_ns, due_ns;

/* Questions that are out, and what is to be said LAID or FOUND to. */
static kl_statesync_effect questions[QUESTIONS_MAX];
static usize question_count;
static bool stale, whole, looks;
static kl_hash look_from;
static usize named[PEERS];

static void hear(const kl_message *m)
{
    for (usize i = 0; i < out.count; i++) {
        const kl_statesync_effect *e = &out.list[i];
        switch (e->kind) {
        case KL_STATESYNC_ASK_STATE:
        case KL_STATESYNC_ASK_CODE:
            CHECK(question_count < QUESTIONS_MAX);
            questions[question_count++] = *e;
            break;
        case KL_STATESYNC_LAY:
        case KL_STATESYNC_LAY_CODE:
            CHECK(m);
            statesync_lay(&flat, e, m);
            break;
        case KL_STATESYNC_LOOK:
            looks = true;
            look_from = e->first;
            break;
        case KL_STATESYNC_PENALIZE:
            named[e->peer]++;
            break;
        case KL_STATESYNC_STALE:
            stale = true;
            break;
        case KL_STATESYNC_WHOLE:
            whole = true;
            break;
        case KL_STATESYNC_SET_TIMER:
            due_ns = e->at_ns;
            break;
        }
    }
}

static void step(const kl_statesync_event *event)
{
    u32 laid[KL_STATESYNC_EFFECTS_MAX];
    usize count = 0;
    kl_arena_reset(&scratch, 1 << 20);
    CHECK_OK(kl_statesync_step(sync, event, now_ns, &scratch, &out));
    hear(event->message);
    for (usize i = 0; i < out.count; i++)
        if (out.list[i].kind == KL_STATESYNC_LAY || out.list[i].kind == KL_STATESYNC_LAY_CODE)
            laid[count++] = out.list[i].task;
    for (usize i = 0; i < count; i++)
        step(&(kl_statesync_event){.kind = KL_STATESYNC_LAID, .task = laid[i]});
    while (looks) {
        kl_statesync_want wants[KL_STATESYNC_WANTS];
        kl_statesync_event found;
        looks = false;
        statesync_look(&flat, &look_from, &found, wants, &scratch);
        step(&found);
    }
}

static void keep(void)
{
    u8 note[KL_STATESYNC_NOTE_MAX];
    kl_span span = kl_statesync_note(sync, note);
    memcpy(kept_note, span.p, span.len);
    kept_note_len = span.len;
    kept = flat;
}

static void set_height(u32 peer, u64 height)
{
    step(&(kl_statesync_event){.kind = KL_STATESYNC_HEIGHT, .peer = peer, .height = height});
}

static void begin_at(const statesync_world *w)
{
    stale = false;
    step(&(kl_statesync_event){.kind = KL_STATESYNC_BEGIN,
                               .height = w->height,
                               .root = w->root,
                               .note = kl_span_of(kept_note, kept_note_len)});
}

/* A machine that knows nothing but what was kept. */
static void restart(u32 peers, u64 height)
{
    const kl_statesync_config config = {.timeout_ns = 2 * S, .rest_ns = 5 * S};
    CHECK(kl_statesync_footprint() <= sizeof room);
    sync = kl_statesync_init(room, &config);
    flat = kept;
    due_ns = UINT64_MAX;
    question_count = 0;
    stale = whole = looks = false;
    for (u32 i = 0; i < peers; i++)
        set_height(i, height);
}

static void begin(u64 *seed)
{
    kl_arena_init(&arena, 1 << 28);
    kl_arena_init(&scratch, 1 << 26);
    statesync_world_make(&worlds[0], 100, &arena, seed);
    statesync_world_later(&worlds[1], &worlds[0], 200, seed);
    statesync_world_later(&worlds[2], &worlds[1], 300, seed);
    memset(&kept, 0, sizeof kept);
    memset(named, 0, sizeof named);
    kept_note_len = 0;
    now_ns = S;
}

static void end(void)
{
    kl_arena_done(&arena);
    kl_arena_done(&scratch);
}

static void answer(u32 peer, const kl_message *m)
{
    step(&(kl_statesync_event){.kind = KL_STATESYNC_ANSWER, .peer = peer, .message = m});
}

static kl_statesync_effect take_question(usize i)
{
    kl_statesync_effect q = questions[i];
    questions[i] = questions[--question_count];
    return q;
}

static void answer_honestly(usize i, statesync_world *w)
{
    kl_statesync_effect q = take_question(i);
    kl_message m = statesync_answer(w, &q);
    answer(q.peer, &m);
}

/* What was laid is the state, no more and no less. */
static void check_is(const statesync_world *w)
{
    kl_hash root = statesync_root(&flat, NULL, &arena);
    usize slots = 0, laid = 0;
    CHECK(kl_hash_eq(&root, &w->root));
    for (usize i = 0; i < w->count; i++) {
        root = statesync_root(&flat, &w->accounts[i].key, &arena);
        CHECK(kl_hash_eq(&root, &w->accounts[i].value.storage_root));
        slots += w->accounts[i].slot_count;
        CHECK(w->accounts[i].code == STATESYNC_CODES || flat.codes[w->accounts[i].code]);
    }
    for (usize i = 0; i < flat.count; i++)
        laid += flat.leaves[i].has_owner;
    CHECK_U64(laid, slots);
}

KL_TEST(statesync_takes_all_from_one_peer)
{
    for (int round = 0; round < 20; round++) {
        begin(seed);
        restart(1, 100);
        begin_at(&worlds[0]);
        CHECK_U64(question_count, 2); /* of one peer */
        while (!whole) {
            u32 before = kl_statesync_progress_of(sync).ppm;
            CHECK(question_count && !stale);
            answer_honestly(kl_rand_below(seed, question_count), &worlds[0]);
            CHECK(kl_statesync_progress_of(sync).ppm >= before || whole);
        }
        check_is(&worlds[0]);
        CHECK_U64(question_count, 0);
        end();
    }
}

/* Questions go to all peers, and an answer that nobody waits for changes nothing. */
KL_TEST(statesync_asks_several_peers)
{
    bool asked[PEERS] = {false};
    begin(seed);
    restart(PEERS, 100);
    begin_at(&worlds[0]);
    CHECK_U64(question_count, 2 * PEERS);
    for (usize i = 0; i < question_count; i++)
        asked[questions[i].peer] = true;
    for (usize i = 0; i < PEERS; i++)
        CHECK(asked[i]);
    kl_statesync_effect q = questions[0];
    kl_message m = statesync_answer(&worlds[0], &q);
    answer((q.peer + 1) % PEERS, &m);
    CHECK_U64(out.count, 0);
    m.from++;
    answer(q.peer, &m);
    CHECK_U64(out.count, 0);
    end();
}

/* Who has the state no longer is not asked for it again; when nobody has it, another is. */
KL_TEST(statesync_goes_on_at_a_later_block)
{
    begin(seed);
    restart(3, 100);
    begin_at(&worlds[0]);
    for (int i = 0; i < 6; i++)
        answer_honestly(0, &worlds[0]);
    for (u32 i = 0; i < 3; i++)
        set_height(i, 200);
    while (!stale) {
        CHECK(question_count);
        answer_honestly(0, &worlds[1]);
    }
    CHECK_U64(due_ns, UINT64_MAX);
    question_count = 0;
    begin_at(&worlds[1]);
    while (!whole)
        answer_honestly(0, &worlds[1]);
    check_is(&worlds[1]);
    end();
}

/* Answers everything that is out, round by round, until the state is whole; how many rounds. */
static usize rounds(u32 peers, usize *most)
{
    usize count = 0;
    restart(peers, 100);
    begin_at(&worlds[0]);
    for (*most = 0; !whole; count++) {
        usize storage = 0;
        CHECK(question_count);
        for (usize i = 0; i < question_count; i++)
            storage += questions[i].has_owner;
        *most = KL_MAX(*most, storage);
        kl_statesync_effect round[QUESTIONS_MAX];
        usize asked = question_count;
        memcpy(round, questions, asked * sizeof *round);
        question_count = 0;
        for (usize i = 0; i < asked; i++) {
            kl_message m = statesync_answer(&worlds[0], &round[i]);
            answer(round[i].peer, &m);
        }
    }
    return count;
}

/* One storage that takes many answers is had from all peers at once, with few more questions. */
KL_TEST(statesync_takes_a_large_storage_from_several_peers)
{
    enum { ALONE = STATESYNC_SLOTS_LARGE / STATESYNC_LEAVES };
    usize most;
    begin(seed);
    statesync_world_large(&worlds[0], 100, &arena, seed);
    CHECK(rounds(1, &most) >= ALONE / 2);
    CHECK_U64(most, 2);
    check_is(&worlds[0]);
    usize count = rounds(PEERS, &most);
    CHECK_U64(most, 2 * PEERS);
    CHECK(count <= ALONE / 5);
    check_is(&worlds[0]);
    end();
}

/* --- liars --- */

static kl_trie_change lie_leaves[KL_MESSAGE_LEAVES_MAX];
static kl_span lie_nodes[KL_MESSAGE_NODES_MAX];
static u8 lie_bytes[4096];

static kl_span changed(kl_span bytes, u64 *seed)
{
    KL_ASSERT(bytes.len && bytes.len <= sizeof lie_bytes);
    memcpy(lie_bytes, bytes.p, bytes.len);
    lie_bytes[kl_rand_below(seed, bytes.len)] ^= (u8)(1 << kl_rand_below(seed, 8));
    return kl_span_of(lie_bytes, bytes.len);
}

/* False: this answer cannot be made a lie in this way. */
static bool tell_lie(kl_message *m, u64 *seed)
{
    usize n = m->leaf_count;
    if (m->kind == KL_MESSAGE_CODE) {
        m->body = changed(m->body, seed);
        return true;
    }
    if (n)
        memcpy(lie_leaves, m->leaves, n * sizeof lie_leaves[0]);
    if (m->node_count)
        memcpy(lie_nodes, m->nodes, m->node_count * sizeof lie_nodes[0]);
    m->leaves = lie_leaves;
    m->nodes = lie_nodes;
    usize at = n ? kl_rand_below(seed, n) : 0;
    switch (kl_rand_below(seed, 4)) {
    case 0: /* a leaf is left out */
        if (n < 2)
            return false;
        memmove(lie_leaves + at, lie_leaves + at + 1, (n - at - 1) * sizeof lie_leaves[0]);
        m->leaf_count--;
        /* without the last one the nodes say too much, or it is a shorter truth */
        return at + 1 < n;
    case 1: /* another value */
        if (!n)
            return false;
        lie_leaves[at].value = changed(lie_leaves[at].value, seed);
        return true;
    case 2: /* another key */
        if (!n)
            return false;
        lie_leaves[at].key.b[31] ^= 1;
        return true;
    default: /* another node */
        if (!m->node_count)
            return false;
        at = kl_rand_below(seed, m->node_count);
        lie_nodes[at] = changed(lie_nodes[at], seed);
        return true;
    }
}

KL_TEST(statesync_names_liars)
{
    for (int round = 0; round < 60; round++) {
        begin(seed);
        restart(1, 100);
        begin_at(&worlds[0]);
        kl_statesync_effect q = take_question(0);
        kl_message m = statesync_answer(&worlds[0], &q);
        if (tell_lie(&m, seed)) {
            usize laid = flat.count;
            answer(q.peer, &m);
            CHECK_U64(named[0], 1);
            CHECK_U64(flat.count, laid);
        }
        end();
    }
}

/* --- anything --- */

typedef enum how { HONEST, SILENT, LYING, LACKING } how;

/* One answer, or none, as its peer is. */
static void answer_one(const how *hows, statesync_world *w, u64 *seed)
{
    kl_statesync_effect q = take_question(kl_rand_below(seed, question_count));
    kl_message m = statesync_answer(w, &q);
    how is = hows[q.peer];
    if (is == SILENT)
        return;
    if (is == LACKING) {
        if (m.kind == KL_MESSAGE_CODE)
            return;
        m.leaf_count = m.node_count = 0;
    }
    if (is == LYING)
        (void)tell_lie(&m, seed);
    answer(q.peer, &m);
    CHECK(is == LYING || !named[q.peer]);
}

/* Property: among peers that are silent, lie, or lack the state, with restarts and later blocks at
 * any moment, one honest peer is enough, and what was laid is the state, whole. */
KL_TEST(statesync_ends_with_the_state_among_liars)
{
    for (int round = 0; round < 60; round++) {
        how hows[PEERS];
        usize at = 0, wanted = 0; /* where the network is; whose state is being taken */
        begin(seed);
        for (usize i = 0; i < PEERS; i++)
            hows[i] = (how)kl_rand_below(seed, 4);
        hows[kl_rand_below(seed, PEERS)] = HONEST;
        restart(PEERS, 100);
        begin_at(&worlds[0]);
        for (unsigned turn = 0; !whole; turn++) {
            CHECK(turn < 20000);
            u64 what = kl_rand_below(seed, 100);
            if (what == 0 && at < 2 && turn > 30) { /* the network is at a later block */
                at++;
                for (u32 i = 0; i < PEERS; i++)
                    set_height(i, worlds[at].height);
            } else if (what == 1) {
                restart(PEERS, worlds[at].height);
                begin_at(&worlds[wanted = at]);
            } else if (what < 6) {
                keep();
            } else if (what == 6) {
                u32 peer = (u32)kl_rand_below(seed, PEERS);
                step(&(kl_statesync_event){.kind = KL_STATESYNC_GONE, .peer = peer});
                set_height(peer, worlds[at].height);
            } else if (question_count && what < 80) {
                answer_one(hows, &worlds[at], seed);
            } else if (due_ns != UINT64_MAX) {
                now_ns = KL_MAX(now_ns, due_ns);
                step(&(kl_statesync_event){.kind = KL_STATESYNC_TIMER});
            }
            if (stale) {
                keep();
                question_count = 0;
                begin_at(&worlds[wanted = at]);
            }
        }
        check_is(&worlds[wanted]); /* codes alone may have been lacking when the network went on */
        end();
    }
}
