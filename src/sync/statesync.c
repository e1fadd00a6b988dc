/* A task is one trie's keys from `first` to `end`, or one code; of each at most one question is
 * open.  Tasks are the 16 parts of the account trie at first, later what some accounts lack, a
 * large storage in as many parts as there are tasks to spare. */
#include "sync/statesync.h"

#include "crypto/keccak.h"

#define NEVER UINT64_MAX

enum {
    PER_PEER = 2, /* questions that are open */
    FAILS = 3,    /* one after the other: it does not have this state, whatever it says */
    NOTE_HEAD = 1 + 8 + 32,
    NOTE_TASK = 1 + 32,
};

typedef enum task_state { DONE, OPEN, ASKED, LAYING } task_state;

struct task {
    task_state state;
    bool is_code, has_owner;
    kl_hash owner, root; /* of the trie; a code's hash */
    kl_hash first, end;  /* still to be laid, both included */
    kl_hash last;        /* LAYING: up to here */
    kl_statesync_peer peer;
    u64 deadline_ns;
};

struct peer {
    bool known, lacks;
    u64 height;
    u64 rest_until_ns;
    u32 open, fails;
};

struct kl_statesync {
    kl_statesync_config config;
    struct peer peers[KL_STATESYNC_PEERS_MAX];
    kl_statesync_peer next; /* in the round */
    bool on;
    bool looks;    /* the parts are laid: looking for what lacks */
    bool looking;  /* a LOOK is out */
    kl_hash from;  /* where the newest look began, and what it led to is not all laid */
    kl_hash after; /* where it stopped, included */
    u64 height;
    kl_hash root;
    struct task tasks[KL_STATESYNC_TASKS];
    u64 leaves;
    u64 timer_ns, now_ns;
    kl_statesync_effects *out;
};

usize kl_statesync_footprint(void)
{
    return sizeof(struct kl_statesync);
}

struct kl_statesync *kl_statesync_init(void *room, const kl_statesync_config *config)
{
    struct kl_statesync *s = room;
    memset(s, 0, sizeof *s);
    s->config = *config;
    s->timer_ns = NEVER;
    return s;
}

static kl_statesync_effect *emit(struct kl_statesync *s, kl_statesync_effect_kind kind)
{
    KL_ASSERT(s->out->count < KL_STATESYNC_EFFECTS_MAX);
    kl_statesync_effect *effect = &s->out->list[s->out->count++];
    *effect = (kl_statesync_effect){.kind = kind, .height = s->height};
    return effect;
}

/* --- keys --- */

static kl_hash key_of(u8 first, u8 rest)
{
    kl_hash key;
    memset(&key, rest, sizeof key);
    key.b[0] = first;
    return key;
}

static int order(const kl_hash *a, const kl_hash *b)
{
    return memcmp(a->b, b->b, sizeof a->b);
}

/* --- beginning --- */

static void open_parts(struct kl_statesync *s)
{
    for (u8 i = 0; i < KL_STATESYNC_TASKS; i++)
        s->tasks[i] = (struct task){
            .state = OPEN,
            .root = s->root,
            .first = key_of((u8)(i << 4), 0),
            .end = key_of((u8)(i << 4 | 0xf), 0xff),
        };
}

/* A note is our own, but lay on a disk: one that makes no sense counts as none. */
static bool read_parts(struct kl_statesync *s, const u8 *p)
{
    open_parts(s);
    for (usize i = 0; i < KL_STATESYNC_TASKS; i++, p += NOTE_TASK) {
        struct task *task = &s->tasks[i];
        kl_hash first;
        memcpy(first.b, p + 1, sizeof first.b);
        if (p[0] > 1 || order(&first, &task->first) < 0 || order(&first, &task->end) > 0)
            return false;
        task->state = p[0] ? DONE : OPEN;
        task->first = first;
    }
    return true;
}

static bool read_note(struct kl_statesync *s, kl_span note)
{
    if (note.len < NOTE_HEAD || kl_load_be64(note.p + 1) != s->height ||
        memcmp(note.p + 9, s->root.b, sizeof s->root.b) != 0)
        return false;
    s->looks = note.p[0] == 1;
    if (s->looks && note.len == NOTE_HEAD + 32)
        memcpy(s->from.b, note.p + NOTE_HEAD, 32);
    else if (s->looks || note.len != NOTE_HEAD + KL_STATESYNC_TASKS * NOTE_TASK)
        return false;
    return s->looks || read_parts(s, note.p + NOTE_HEAD);
}

kl_span kl_statesync_note(const struct kl_statesync *s, u8 room[KL_STATESYNC_NOTE_MAX])
{
    _Static_assert(NOTE_HEAD + KL_STATESYNC_TASKS * NOTE_TASK <= KL_STATESYNC_NOTE_MAX, "fits");
    u8 *p = room;
    *p = s->looks;
    kl_store_be64(p + 1, s->height);
    memcpy(p + 9, s->root.b, 32);
    p += NOTE_HEAD;
    if (s->looks) {
        memcpy(p, s->from.b, 32);
        return kl_span_of(room, NOTE_HEAD + 32);
    }
    for (usize i = 0; i < KL_STATESYNC_TASKS; i++, p += NOTE_TASK) {
        *p = s->tasks[i].state == DONE;
        memcpy(p + 1, s->tasks[i].first.b, 32);
    }
    return kl_span_of(room, (usize)(p - room));
}

static void begin(struct kl_statesync *s, const kl_statesync_event *event)
{
    s->on = true;
    s->looking = false;
    s->height = event->height;
    s->root = event->root;
    s->from = key_of(0, 0);
    for (usize i = 0; i < KL_STATESYNC_PEERS_MAX; i++) {
        s->peers[i].lacks = false;
        s->peers[i].open = s->peers[i].fails = 0;
    }
    memset(s->tasks, 0, sizeof s->tasks);
    if (!read_note(s, event->note)) {
        s->looks = false;
        s->from = key_of(0, 0);
        open_parts(s);
    }
}

/* --- peers --- */

static void fail(struct kl_statesync *s, kl_statesync_peer peer, u64 rest_ns)
{
    struct peer *p = &s->peers[peer];
    p->rest_until_ns = kl_add_sat_u64(s->now_ns, rest_ns);
    p->fails++;
}

static bool has_it(const struct kl_statesync *s, const struct peer *p)
{
    return p->known && p->height >= s->height && !p->lacks && p->fails < FAILS;
}

/* The next in the round that may be asked; else when one may be, and whether any has it at all. */
static bool choose(const struct kl_statesync *s, kl_statesync_peer *out, u64 *when_ns, bool *any)
{
    *any = false;
    for (u32 i = 0; i < KL_STATESYNC_PEERS_MAX; i++) {
        kl_statesync_peer at = (s->next + i) % KL_STATESYNC_PEERS_MAX;
        const struct peer *p = &s->peers[at];
        if (!has_it(s, p))
            continue;
        *any = true;
        if (p->open >= PER_PEER)
            continue; /* its answer, or a deadline, comes first */
        if (p->rest_until_ns <= s->now_ns) {
            *out = at;
            return true;
        }
        *when_ns = KL_MIN(*when_ns, p->rest_until_ns);
    }
    return false;
}

static void ask(struct kl_statesync *s, u32 index, kl_statesync_peer peer)
{
    struct task *task = &s->tasks[index];
    task->state = ASKED;
    task->peer = peer;
    task->deadline_ns = kl_add_sat_u64(s->now_ns, s->config.timeout_ns);
    s->peers[peer].open++;
    s->next = (peer + 1) % KL_STATESYNC_PEERS_MAX;
    kl_statesync_effect *e =
        emit(s, task->is_code ? KL_STATESYNC_ASK_CODE : KL_STATESYNC_ASK_STATE);
    e->peer = peer;
    e->task = index;
    e->has_owner = task->has_owner;
    e->owner = task->is_code ? task->root : task->owner;
    e->first = task->first;
}

static bool knows_somebody(const struct kl_statesync *s)
{
    bool any = false;
    for (u32 i = 0; i < KL_STATESYNC_PEERS_MAX; i++)
        any |= s->peers[i].known && s->peers[i].height >= s->height;
    return any;
}

/* --- going on --- */

static bool all_done(const struct kl_statesync *s)
{
    for (usize i = 0; i < KL_STATESYNC_TASKS; i++)
        if (s->tasks[i].state != DONE)
            return false;
    return true;
}

static void look(struct kl_statesync *s)
{
    s->looks = s->looking = true;
    emit(s, KL_STATESYNC_LOOK)->first = s->from;
}

/* Asks for whatever is open, as far as peers can be asked. */
static void ask_all(struct kl_statesync *s, u64 *due_ns)
{
    for (u32 i = 0; i < KL_STATESYNC_TASKS; i++) {
        struct task *task = &s->tasks[i];
        kl_statesync_peer peer;
        bool any = true;
        if (task->state == OPEN && choose(s, &peer, due_ns, &any))
            ask(s, i, peer);
        if (!any && knows_somebody(s)) {
            s->on = false;
            emit(s, KL_STATESYNC_STALE);
            return;
        }
    }
}

static void go_on(struct kl_statesync *s)
{
    u64 due_ns = NEVER;
    if (s->on && !s->looking && all_done(s))
        look(s); /* the parts are laid, or there is nothing to ask for as yet */
    if (s->on)
        ask_all(s, &due_ns);
    for (u32 i = 0; i < KL_STATESYNC_TASKS && s->on; i++)
        if (s->tasks[i].state == ASKED)
            due_ns = KL_MIN(due_ns, s->tasks[i].deadline_ns);
    if (due_ns == s->timer_ns)
        return;
    s->timer_ns = due_ns;
    emit(s, KL_STATESYNC_SET_TIMER)->at_ns = due_ns;
}

/* --- answers --- */

/* The task that a peer's answer is about; NULL: too late, or never asked for. */
static struct task *task_of_state(struct kl_statesync *s, kl_statesync_peer peer,
                                  const kl_message *m)
{
    for (usize i = 0; i < KL_STATESYNC_TASKS; i++) {
        struct task *task = &s->tasks[i];
        if (task->state == ASKED && task->peer == peer && !task->is_code && m->from == s->height &&
            task->has_owner == m->has_owner && kl_hash_eq(&task->first, &m->first) &&
            (!m->has_owner || kl_hash_eq(&task->owner, &m->hash)))
            return task;
    }
    return NULL;
}

static void lay(struct kl_statesync *s, struct task *task, const kl_trie_range *range)
{
    usize count = range->count;
    while (count && order(&range->leaves[count - 1].key, &task->end) > 0)
        count--;
    bool ends = range->complete || count < range->count;
    task->state = LAYING;
    task->last = ends ? task->end : range->leaves[count - 1].key;
    s->leaves += count;
    kl_statesync_effect *e = emit(s, KL_STATESYNC_LAY);
    e->task = (u32)(task - s->tasks);
    e->has_owner = task->has_owner;
    e->owner = task->owner;
    e->first = task->first;
    e->last = task->last;
    e->count = count;
}

static kl_status on_state(struct kl_statesync *s, kl_statesync_peer peer, const kl_message *m,
                          struct kl_arena *scratch)
{
    struct task *task = task_of_state(s, peer, m);
    kl_trie_range range = {.leaves = m->leaves,
                           .count = m->leaf_count,
                           .nodes = m->nodes,
                           .node_count = m->node_count};
    kl_rule broken;
    if (!task)
        return KL_OK;
    task->state = OPEN;
    s->peers[peer].open--;
    if (!m->leaf_count && !m->node_count) {
        s->peers[peer].lacks = true;
        return KL_OK;
    }
    KL_TRY(kl_trie_check_range(&range, &task->root, &task->first, scratch, &broken));
    if (broken != KL_RULE_NONE) {
        fail(s, peer, kl_mul_sat_u64(s->config.rest_ns, 16));
        kl_statesync_effect *e = emit(s, KL_STATESYNC_PENALIZE);
        e->peer = peer;
        e->rule = broken;
        return KL_OK;
    }
    s->peers[peer].fails = 0;
    lay(s, task, &range);
    return KL_OK;
}

/* A code says by its hash what it answers; another one may be late. */
static void on_code(struct kl_statesync *s, kl_statesync_peer peer, const kl_message *m)
{
    kl_hash hash = kl_keccak256(m->body);
    for (u32 i = 0; i < KL_STATESYNC_TASKS; i++) {
        struct task *task = &s->tasks[i];
        if (task->state != ASKED || !task->is_code || task->peer != peer ||
            !kl_hash_eq(&task->root, &hash))
            continue;
        task->state = LAYING;
        s->peers[peer].open--;
        s->peers[peer].fails = 0;
        kl_statesync_effect *e = emit(s, KL_STATESYNC_LAY_CODE);
        e->task = i;
        e->owner = hash;
        return;
    }
}

/* --- what happens --- */

/* How far it is from one key to another. */
static kl_u256 width(const kl_hash *from, const kl_hash *to)
{
    return kl_u256_sub(kl_u256_from_hash(to), kl_u256_from_hash(from));
}

/* What is left of a large storage is taken in halves, as long as there are tasks to spare: keys are
 * hashes, so where more is left than was laid just now, another answer will not be all. */
static void split(struct kl_statesync *s, struct task *task, kl_u256 laid)
{
    kl_u256 left = width(&task->first, &task->end);
    struct task *spare = NULL;
    for (usize i = 0; i < KL_STATESYNC_TASKS && s->looks && !spare; i++)
        if (s->tasks[i].state == DONE)
            spare = &s->tasks[i];
    if (!spare || !kl_u256_lt(laid, left))
        return;
    *spare = *task;
    task->end = kl_u256_to_hash(kl_u256_add(kl_u256_from_hash(&task->first), kl_u256_shr(left, 1)));
    spare->first = task->end;
    bool goes_on = kl_hash_next(&spare->first);
    KL_ASSERT(goes_on);
}

static void on_laid(struct kl_statesync *s, u32 index)
{
    KL_ASSERT(index < KL_STATESYNC_TASKS && s->tasks[index].state == LAYING);
    struct task *task = &s->tasks[index];
    if (task->is_code || kl_hash_eq(&task->last, &task->end)) {
        task->state = DONE;
        return;
    }
    kl_u256 laid = width(&task->first, &task->last);
    task->first = task->last;
    bool goes_on = kl_hash_next(&task->first);
    KL_ASSERT(goes_on);
    task->state = OPEN;
    split(s, task, laid);
}

static void on_found(struct kl_statesync *s, const kl_statesync_event *event)
{
    KL_ASSERT(s->looking && event->want_count <= KL_STATESYNC_WANTS);
    u32 at = 0;
    s->looking = false;
    for (usize i = 0; i < event->want_count; i++) {
        const kl_statesync_want *w = &event->wants[i];
        if (w->storage)
            s->tasks[at++] = (struct task){.state = OPEN,
                                           .has_owner = true,
                                           .owner = w->account,
                                           .root = w->storage_root,
                                           .end = key_of(0xff, 0xff)};
        if (w->code)
            s->tasks[at++] = (struct task){.state = OPEN, .is_code = true, .root = w->code_hash};
    }
    s->after = event->last;
}

/* What the newest look has led to is laid. */
static void turn(struct kl_statesync *s)
{
    if (!s->on || !s->looks || s->looking || !all_done(s))
        return;
    kl_hash behind = s->after;
    if (kl_hash_next(&behind)) {
        s->from = behind;
        return;
    }
    s->on = false;
    emit(s, KL_STATESYNC_WHOLE);
}

static void on_timer(struct kl_statesync *s)
{
    for (usize i = 0; i < KL_STATESYNC_TASKS; i++) {
        struct task *task = &s->tasks[i];
        if (task->state != ASKED || s->now_ns < task->deadline_ns)
            continue;
        task->state = OPEN;
        s->peers[task->peer].open--;
        fail(s, task->peer, s->config.rest_ns);
    }
}

static void forget(struct kl_statesync *s, kl_statesync_peer peer)
{
    for (usize i = 0; i < KL_STATESYNC_TASKS; i++)
        if (s->tasks[i].state == ASKED && s->tasks[i].peer == peer)
            s->tasks[i].state = OPEN;
    s->peers[peer] = (struct peer){0};
}

kl_status kl_statesync_step(struct kl_statesync *s, const kl_statesync_event *event, u64 now_ns,
                            struct kl_arena *scratch, kl_statesync_effects *out)
{
    kl_status status = KL_OK;
    KL_ASSERT(event->peer < KL_STATESYNC_PEERS_MAX);
    out->count = 0;
    s->out = out;
    s->now_ns = now_ns;
    switch (event->kind) {
    case KL_STATESYNC_BEGIN:
        begin(s, event);
        break;
    case KL_STATESYNC_HEIGHT:
        s->peers[event->peer].known = true;
        s->peers[event->peer].height = event->height;
        break;
    case KL_STATESYNC_GONE:
        forget(s, event->peer);
        break;
    case KL_STATESYNC_ANSWER:
        if (s->on && event->message->kind == KL_MESSAGE_STATE)
            status = on_state(s, event->peer, event->message, scratch);
        else if (s->on && event->message->kind == KL_MESSAGE_CODE)
            on_code(s, event->peer, event->message);
        break;
    case KL_STATESYNC_LAID:
        on_laid(s, event->task);
        turn(s);
        break;
    case KL_STATESYNC_FOUND:
        on_found(s, event);
        turn(s);
        break;
    case KL_STATESYNC_TIMER:
        on_timer(s);
        break;
    }
    go_on(s);
    return status;
}

/* --- how far it is --- */

static u64 place(const kl_hash *key)
{
    return kl_load_be32(key->b);
}

kl_statesync_progress kl_statesync_progress_of(const struct kl_statesync *s)
{
    u64 done = 0; /* of 2^32 */
    for (usize i = 0; i < KL_STATESYNC_TASKS && !s->looks; i++) {
        u64 begins = (u64)i << 28;
        done += s->tasks[i].state == DONE ? (u64)1 << 28 : place(&s->tasks[i].first) - begins;
    }
    if (s->looks)
        done = ((u64)1 << 32) + place(&s->from);
    return (kl_statesync_progress){.ppm = (u32)(done * 500000 >> 32), .leaves = s->leaves};
}
