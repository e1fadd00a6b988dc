/* Any series of events, answers that are true but for what the input changes of them, notes of any
 * kind: what is to be laid is the state's, no more and no less, and no step fails. */
#include "base/fuzz.h"
#include "sync/statesync_rig.h"

enum { PEERS = 4, QUESTIONS_MAX = 256, LAID_MAX = 64 };

static statesync_world world;
static struct kl_arena world_arena, arena, scratch;
static _Alignas(64) u8 room[1 << 16];
static struct kl_statesync *sync;
static kl_statesync_effect questions[QUESTIONS_MAX];
static usize question_count;
static u32 laid[LAID_MAX];
static usize laid_count;
static bool looks, over;
static statesync_flat flat;
static kl_hash look_from;
static u64 now_ns;

/* The leaves that the world has of a trie. */
static const kl_trie_change *leaves_of(const kl_statesync_effect *e, usize *count)
{
    *count = world.count;
    if (!e->has_owner)
        return world.leaves;
    for (usize i = 0; i < world.count; i++)
        if (kl_hash_eq(&world.accounts[i].key, &e->owner)) {
            *count = world.accounts[i].slot_count;
            return world.accounts[i].slots;
        }
    KL_UNREACHABLE();
}

static void check_lay(const kl_statesync_effect *e, const kl_message *m)
{
    usize count, at = 0;
    if (e->kind == KL_STATESYNC_LAY_CODE)
        return;
    const kl_trie_change *all = leaves_of(e, &count);
    for (usize i = 0; i < count; i++) {
        if (memcmp(all[i].key.b, e->first.b, 32) < 0 || memcmp(all[i].key.b, e->last.b, 32) > 0)
            continue;
        KL_ASSERT(at < e->count && kl_hash_eq(&m->leaves[at].key, &all[i].key) &&
                  kl_span_eq(m->leaves[at].value, all[i].value));
        at++;
    }
    KL_ASSERT(at == e->count);
}

static void hear(const kl_statesync_effects *out, const kl_message *m)
{
    for (usize i = 0; i < out->count; i++) {
        const kl_statesync_effect *e = &out->list[i];
        if (e->kind == KL_STATESYNC_ASK_STATE || e->kind == KL_STATESYNC_ASK_CODE) {
            questions[question_count++ % QUESTIONS_MAX] = *e;
        } else if (e->kind == KL_STATESYNC_LAY || e->kind == KL_STATESYNC_LAY_CODE) {
            KL_ASSERT(m && laid_count < LAID_MAX);
            check_lay(e, m);
            statesync_lay(&flat, e, m);
            laid[laid_count++] = e->task;
        } else if (e->kind == KL_STATESYNC_LOOK) {
            looks = true;
            look_from = e->first;
        } else if (e->kind == KL_STATESYNC_WHOLE || e->kind == KL_STATESYNC_STALE) {
            over = true;
        }
    }
}

static void step(const kl_statesync_event *event)
{
    kl_statesync_effects out;
    kl_arena_reset(&scratch, 1 << 20);
    KL_ASSERT(kl_statesync_step(sync, event, now_ns, &scratch, &out) == KL_OK);
    hear(&out, event->message);
}

static void begin(kl_span note)
{
    const kl_statesync_config config = {.timeout_ns = 100, .rest_ns = 300};
    KL_ASSERT(kl_statesync_footprint() <= sizeof room);
    sync = kl_statesync_init(room, &config);
    question_count = laid_count = 0;
    looks = over = false;
    step(&(kl_statesync_event){
        .kind = KL_STATESYNC_BEGIN, .height = world.height, .root = world.root, .note = note});
    for (u32 i = 0; i < PEERS; i++)
        step(&(kl_statesync_event){.kind = KL_STATESYNC_HEIGHT, .peer = i, .height = world.height});
}

/* A note that begins as one of this block's does, and goes on as the input does. */
static void begin_again(kl_span *in)
{
    u8 note[KL_STATESYNC_NOTE_MAX];
    kl_span span = kl_statesync_note(sync, note);
    usize at = kl_fuzz_u8(in) * 3u % span.len;
    note[at] ^= kl_fuzz_u8(in);
    begin(kl_span_sub(span, 0, span.len - kl_fuzz_u8(in) % 2));
}

static void change(kl_span *in, kl_message *m)
{
    static kl_trie_change leaves[STATESYNC_LEAVES];
    static u8 copy[1024];
    u8 what = kl_fuzz_u8(in), where = kl_fuzz_u8(in);
    const kl_span *part = NULL;
    kl_span nodes[KL_MESSAGE_NODES_MAX];
    if (m->kind == KL_MESSAGE_CODE || (what % 2 && !m->node_count) ||
        (what % 2 == 0 && !m->leaf_count))
        return;
    KL_ASSERT(m->leaf_count <= STATESYNC_LEAVES);
    if (m->leaf_count)
        memcpy(leaves, m->leaves, m->leaf_count * sizeof leaves[0]);
    if (m->node_count)
        memcpy(nodes, m->nodes, m->node_count * sizeof nodes[0]);
    part = what % 2 ? &nodes[where % m->node_count] : &leaves[where % m->leaf_count].value;
    KL_ASSERT(part->len <= sizeof copy);
    memcpy(copy, part->p, part->len);
    usize at = kl_fuzz_u8(in) * 5u % part->len;
    copy[at] ^= kl_fuzz_u8(in);
    if (what % 2)
        nodes[where % m->node_count].p = copy;
    else
        leaves[where % m->leaf_count].value.p = copy;
    m->leaves = leaves;
    if (what & 4)
        m->leaf_count -= m->leaf_count > 1;
    if (m->node_count) {
        kl_span *moved = KL_TAKE(&arena, kl_span, m->node_count);
        KL_ASSERT(moved);
        memcpy(moved, nodes, m->node_count * sizeof nodes[0]);
        m->nodes = moved;
    }
}

static void answer(kl_span *in, bool changes)
{
    usize count = KL_MIN(question_count, (usize)QUESTIONS_MAX);
    if (!count)
        return;
    const kl_statesync_effect q = questions[kl_fuzz_u8(in) % count];
    kl_message m = statesync_answer(&world, &q);
    if (changes)
        change(in, &m);
    step(&(kl_statesync_event){.kind = KL_STATESYNC_ANSWER, .peer = q.peer, .message = &m});
}

static void found(void)
{
    kl_statesync_want wants[KL_STATESYNC_WANTS];
    kl_statesync_event event;
    looks = false;
    statesync_look(&flat, &look_from, &event, wants, &arena);
    step(&event);
}

static void happen(kl_span *in)
{
    u8 what = kl_fuzz_u8(in);
    u32 peer = what / 16 % PEERS;
    kl_arena_reset(&arena, 1 << 20);
    switch (what % 8) {
    case 0:
        step(&(kl_statesync_event){.kind = KL_STATESYNC_HEIGHT,
                                   .peer = peer,
                                   .height = kl_fuzz_u8(in) % 2 ? world.height : 5});
        break;
    case 1:
        step(&(kl_statesync_event){.kind = KL_STATESYNC_GONE, .peer = peer});
        break;
    case 2:
        now_ns += kl_fuzz_u8(in);
        step(&(kl_statesync_event){.kind = KL_STATESYNC_TIMER});
        break;
    case 3:
        if (laid_count)
            step(&(kl_statesync_event){.kind = KL_STATESYNC_LAID, .task = laid[--laid_count]});
        else if (looks)
            found();
        break;
    case 4:
        begin_again(in);
        break;
    case 5:
        answer(in, true);
        break;
    default:
        answer(in, false);
        break;
    }
}

int LLVMFuzzerTestOneInput(const u8 *bytes, usize len)
{
    kl_span in = {bytes, len};
    u64 seed = 5;
    if (!world.count) {
        kl_arena_init(&world_arena, 1 << 26);
        kl_arena_init(&arena, 1 << 26);
        kl_arena_init(&scratch, 1 << 26);
        statesync_world_make(&world, 1000, &world_arena, &seed);
        world.arena = &arena;
    }
    kl_arena_reset(&arena, 1 << 20);
    memset(&flat, 0, sizeof flat);
    now_ns = 1;
    begin(KL_SPAN_NONE);
    while (in.len && !over)
        happen(&in);
    return 0;
}
