/* Connections.  Each of the two ways has bytes on their way in segments, cut at any place, that
 * arrive in order; so many may be on their way at once as the window says, and the rest waits in
 * the swarm, where it can be overtaken.  What the network loses is sent again and holds up all that
 * is behind it. */
#include <stdlib.h>

#include "lab/wire_priv.h"

#define PAUSE_LOOK_NS (50 * KL_MS)
#define SYN_AGAIN_NS  KL_S
#define AGAIN_NS      (200 * KL_MS) /* before a lost segment is sent again, doubled each time */
#define DIAL_NS       (3 * KL_S)    /* as long as a node waits for one address */

enum { PULL = 32 << 10, AGAIN_MAX = 5 };

/* What an event is about; its `lane` says of which end too, or of the way from which end. */
typedef enum pipe_event { SYN, ACCEPT, OPENED, ARRIVE, SHUT } pipe_event;

enum { NOT_YET, WAITS, OPEN, OVER };

struct segment {
    struct segment *next;
    u64 at_ns;
    usize len;
    u8 bytes[];
};

/* From one end to the other. */
struct way {
    struct segment *first, *last;
    usize on_way;  /* bytes that the sender knows not to have come */
    usize unknown; /* of them, those that have come: nothing gets back */
    u64 last_ns;   /* nothing arrives before what was sent earlier */
    u64 event_ns;  /* of its event in the heap; UINT64_MAX: none */
    bool fin;      /* behind everything: the sender has closed */
    u64 fin_ns;
    struct kl_buf out; /* taken from the swarm, not sent yet */
    usize out_at;
    bool dirty;
};

struct end {
    u32 machine, link;
    u8 state;
};

struct lab_pipe {
    u32 index, serial;
    usize window;
    u64 began_ns;
    struct end end[2];
    struct way way[2]; /* [e]: from end e */
};

static struct kl_lab_machine *machine_of(struct kl_lab *lab, const struct lab_pipe *p, u32 e)
{
    return lab->machines[p->end[e].machine];
}

static void post(struct kl_lab *lab, const struct lab_pipe *p, pipe_event what, u32 e, u64 at_ns)
{
    const kl_lab_event event = {.kind = KL_LAB_PIPE,
                                .machine = p->end[e].machine,
                                .peer = p->index,
                                .life = p->serial,
                                .lane = (u32)what << 1 | e};
    kl_lab_post(lab, &event, at_ns);
}

/* What is on its way from end e is looked at then. */
static void post_arrive(struct kl_lab *lab, struct lab_pipe *p, u32 e, u64 at_ns)
{
    if (at_ns >= p->way[e].event_ns)
        return;
    p->way[e].event_ns = at_ns;
    post(lab, p, ARRIVE, e, at_ns);
}

static bool is_cut(const struct kl_lab *lab, const struct lab_pipe *p, u32 from)
{
    return lab->machines[p->end[from].machine]->cut[p->end[1 - from].machine];
}

static u64 clog_ns(const struct kl_lab *lab, const struct lab_pipe *p, u32 from)
{
    return lab->machines[p->end[from].machine]->clog_ns[p->end[1 - from].machine];
}

static u64 latency(struct kl_lab *lab, const struct lab_pipe *p, u32 from)
{
    u64 base_ns = lab->wire->latency_ns[p->end[from].machine][p->end[1 - from].machine];
    return base_ns + kl_lab_wire_below(lab, lab->wire->delay_ns / 4 + 1);
}

/* --- sending --- */

static u64 trouble_ns(struct kl_lab *lab, u64 trip_ns)
{
    u64 extra_ns = 0, again_ns = AGAIN_NS + 2 * trip_ns;
    if (lab->calm)
        return 0;
    if (lab->plan.tail_ns && kl_lab_wire_percent(lab, 1))
        extra_ns += kl_lab_wire_below(lab, lab->plan.tail_ns);
    bool noticed = kl_lab_wire_percent(lab, 60); /* more came behind it */
    for (int i = 0; i < AGAIN_MAX && kl_lab_wire_percent(lab, lab->plan.loss_percent); i++) {
        extra_ns += noticed ? 2 * trip_ns : again_ns;
        again_ns *= 2;
        noticed = false;
    }
    return extra_ns;
}

static void send(struct kl_lab *lab, struct lab_pipe *p, u32 e, kl_span bytes)
{
    struct way *way = &p->way[e];
    struct segment *s = malloc(sizeof *s + bytes.len);
    KL_ASSERT(s);
    u64 trip_ns = latency(lab, p, e);
    u64 at_ns = lab->now_ns + trip_ns + trouble_ns(lab, trip_ns);
    way->last_ns = KL_MAX(way->last_ns, at_ns);
    *s = (struct segment){.at_ns = way->last_ns, .len = bytes.len};
    memcpy(s->bytes, bytes.p, bytes.len);
    if (way->last)
        way->last->next = s;
    else
        way->first = s;
    way->last = s;
    way->on_way += bytes.len;
    post_arrive(lab, p, e, s->at_ns);
}

static usize portion(struct kl_lab *lab, usize len)
{
    if (kl_lab_wire_percent(lab, 60))
        return len;
    usize most = kl_lab_wire_percent(lab, 50) ? KL_MIN(len, (usize)40) : len;
    return 1 + kl_lab_wire_below(lab, most);
}

static void flush(struct kl_lab *lab, struct lab_pipe *p, u32 e)
{
    struct way *way = &p->way[e];
    struct kl_lab_plug *plug = machine_of(lab, p, e)->plug;
    while (p->end[e].state == OPEN && way->on_way < p->window) {
        if (way->out_at == way->out.len) {
            bool more;
            way->out_at = 0;
            kl_buf_clear(&way->out);
            kl_swarm_pull(plug->swarm, p->end[e].link, PULL, &way->out, &more);
            plug->touched = true;
            if (!way->out.len)
                return;
        }
        usize len = KL_MIN(way->out.len - way->out_at, p->window - way->on_way);
        len = portion(lab, len);
        send(lab, p, e, kl_span_of(way->out.p + way->out_at, len));
        way->out_at += len;
    }
}

static void mark(struct kl_lab *lab, struct lab_pipe *p, u32 e)
{
    struct kl_lab_wire *w = lab->wire;
    if (p->way[e].dirty)
        return;
    p->way[e].dirty = true;
    if (w->dirty_count == w->dirty_cap) {
        w->dirty_cap = w->dirty_cap ? 2 * w->dirty_cap : 64;
        w->dirty = realloc(w->dirty, w->dirty_cap * sizeof *w->dirty);
        KL_ASSERT(w->dirty);
    }
    w->dirty[w->dirty_count++] = (struct lab_dirty){p->index, p->serial, e};
}

/* --- beginning and end --- */

static struct lab_pipe *pipe_at(struct kl_lab *lab, u32 index, u32 serial)
{
    struct lab_pipe *p = index < lab->wire->pipe_count ? lab->wire->pipes[index] : NULL;
    return p && p->serial == serial ? p : NULL;
}

static u32 free_index(struct kl_lab_wire *w)
{
    for (u32 i = 0; i < w->pipe_count; i++)
        if (!w->pipes[i])
            return i;
    if (w->pipe_count == w->pipe_cap) {
        w->pipe_cap = w->pipe_cap ? 2 * w->pipe_cap : 64;
        w->pipes = realloc(w->pipes, w->pipe_cap * sizeof(*w->pipes));
        KL_ASSERT(w->pipes);
    }
    return w->pipe_count++;
}

u32 kl_lab_pipe_dial(struct kl_lab *lab, u32 from, u32 link, u32 to)
{
    struct kl_lab_wire *w = lab->wire;
    struct lab_pipe *p = kl_lab_memory(sizeof *p);
    p->index = free_index(w);
    p->serial = ++w->serial;
    p->began_ns = lab->now_ns;
    p->window = (usize)4096 << kl_lab_wire_below(lab, 7);
    p->end[0] = (struct end){from, link, NOT_YET};
    p->end[1] = (struct end){to, 0, NOT_YET};
    for (u32 e = 0; e < 2; e++) {
        kl_buf_init(&p->way[e].out, SIZE_MAX);
        p->way[e].event_ns = UINT64_MAX;
    }
    w->pipes[p->index] = p;
    post(lab, p, SYN, 1, lab->now_ns + latency(lab, p, 0));
    return p->index;
}

static void drop_segments(struct way *way)
{
    for (struct segment *s = way->first, *next; s; s = next) {
        next = s->next;
        free(s);
    }
    way->first = way->last = NULL;
}

static void free_pipe(struct lab_pipe *p)
{
    for (u32 e = 0; e < 2; e++) {
        drop_segments(&p->way[e]);
        kl_buf_done(&p->way[e].out);
    }
    free(p);
}

static void is_over(struct kl_lab *lab, struct lab_pipe *p, u32 e)
{
    p->end[e].state = OVER;
    lab->wire->any_over = true;
}

/* An end is closed; the other learns it behind what was sent, or at once. */
static void close_end(struct kl_lab *lab, struct lab_pipe *p, u32 e, bool reset)
{
    struct way *way = &p->way[e];
    u64 at_ns = lab->now_ns + latency(lab, p, e);
    if (reset)
        drop_segments(way);
    way->fin = true;
    way->fin_ns = reset ? at_ns : KL_MAX(way->last_ns, at_ns);
    is_over(lab, p, e);
    post_arrive(lab, p, e, way->fin_ns);
}

static u32 end_of(const struct lab_pipe *p, u32 machine, u32 link)
{
    u32 e = p->end[0].machine == machine && p->end[0].link == link ? 0 : 1;
    KL_ASSERT(p->end[e].machine == machine && p->end[e].link == link);
    return e;
}

void kl_lab_pipe_close(struct kl_lab *lab, u32 index, u32 machine, u32 link)
{
    struct lab_pipe *p = lab->wire->pipes[index];
    close_end(lab, p, end_of(p, machine, link), kl_lab_wire_percent(lab, 30));
}

void kl_lab_pipe_writable(struct kl_lab *lab, u32 index, u32 machine, u32 link)
{
    struct lab_pipe *p = lab->wire->pipes[index];
    mark(lab, p, end_of(p, machine, link));
}

u32 kl_lab_pipe_peer(const struct kl_lab *lab, u32 index, u32 machine)
{
    const struct lab_pipe *p = lab->wire->pipes[index];
    return p->end[p->end[0].machine == machine].machine;
}

void kl_lab_pipe_abandon(struct kl_lab *lab, u32 machine, bool silently)
{
    for (u32 i = 0; i < lab->wire->pipe_count; i++) {
        struct lab_pipe *p = lab->wire->pipes[i];
        for (u32 e = 0; p && e < 2; e++) {
            if (p->end[e].machine != machine || p->end[e].state == OVER)
                continue;
            if (e == 1 && p->end[e].state == NOT_YET)
                continue; /* nothing has come there yet */
            if (silently)
                is_over(lab, p, e);
            else
                close_end(lab, p, e, true);
        }
    }
}

/* The swarm is told that its link is over. */
static void tell_closed(struct kl_lab *lab, struct lab_pipe *p, u32 e)
{
    struct kl_lab_plug *plug = machine_of(lab, p, e)->plug;
    u8 was = p->end[e].state;
    is_over(lab, p, e);
    if (was == OVER || !plug || (e == 1 && was != OPEN))
        return;
    plug->pipe_of[p->end[e].link] = KL_LAB_WIRE_NONE;
    plug->touched = true;
    kl_swarm_closed(plug->swarm, p->end[e].link, lab->now_ns);
}

/* --- events --- */

/* Something that wants to connect has come to its machine, or tries to. */
static void on_syn(struct kl_lab *lab, struct lab_pipe *p)
{
    struct kl_lab_machine *to = machine_of(lab, p, 1);
    u64 at_ns = lab->now_ns + latency(lab, p, 1);
    bool lost = !lab->calm && kl_lab_wire_percent(lab, lab->plan.loss_percent);
    if (p->end[0].state == OVER)
        return;
    if (lost || is_cut(lab, p, 0) || is_cut(lab, p, 1) || lab->wire->mute[to->index] ||
        clog_ns(lab, p, 0) > lab->now_ns) {
        bool again = lab->now_ns + SYN_AGAIN_NS < p->began_ns + DIAL_NS;
        post(lab, p, again ? SYN : SHUT, again ? 1 : 0,
             again ? lab->now_ns + SYN_AGAIN_NS : p->began_ns + DIAL_NS);
    } else if (!to->plug || (!lab->calm && kl_lab_wire_percent(lab, 3))) {
        post(lab, p, SHUT, 0, at_ns);
    } else {
        p->end[1].state = WAITS;
        post(lab, p, ACCEPT, 1, lab->now_ns);
        post(lab, p, OPENED, 0, at_ns);
    }
}

static void on_accept(struct kl_lab *lab, struct lab_pipe *p)
{
    if (p->end[1].state != WAITS)
        return;
    i32 link = kl_lab_wire_accepts(machine_of(lab, p, 1), p->end[0].machine, p->index);
    if (link == KL_SWARM_NONE) {
        close_end(lab, p, 1, true);
        return;
    }
    p->end[1].link = (u32)link;
    p->end[1].state = OPEN;
    mark(lab, p, 1);
    post_arrive(lab, p, 0, lab->now_ns);
}

static void on_opened(struct kl_lab *lab, struct lab_pipe *p)
{
    struct kl_lab_plug *plug = machine_of(lab, p, 0)->plug;
    kl_multiaddr remote = kl_lab_wire_addr(lab, p->end[1].machine);
    if (p->end[0].state != NOT_YET)
        return;
    p->end[0].state = OPEN;
    plug->touched = true;
    mark(lab, p, 0);
    kl_swarm_opened(plug->swarm, p->end[0].link, &remote, lab->now_ns);
    post_arrive(lab, p, 1, lab->now_ns);
}

/* Nobody is at the end where bytes arrive: whoever stands there says so, or nobody does. */
static void refuse(struct kl_lab *lab, struct lab_pipe *p, u32 from)
{
    struct kl_lab_machine *to = machine_of(lab, p, 1 - from);
    drop_segments(&p->way[from]);
    if (p->end[from].state != OPEN)
        return;
    if (lab->wire->mute[to->index] || is_cut(lab, p, 1 - from))
        post_arrive(lab, p, from, lab->now_ns + KL_S);
    else
        post(lab, p, SHUT, from, lab->now_ns + latency(lab, p, 1 - from));
}

/* Whether one of its bytes is another: a liar's doing, or the deliberate bug. */
static bool is_garbled(struct kl_lab *lab, const struct lab_pipe *p, u32 from)
{
    bool lies = machine_of(lab, p, from)->attack == KL_LAB_IS_GARBAGE;
    return (lies && kl_lab_wire_below(lab, 2000) == 0) ||
           ((lab->options.bugs & KL_LAB_BUG_WIRE_TURNS_BITS) && kl_lab_wire_percent(lab, 1));
}

static void take_segment(struct kl_lab *lab, struct lab_pipe *p, u32 from)
{
    struct way *way = &p->way[from];
    struct segment *s = way->first;
    struct kl_lab_plug *plug = machine_of(lab, p, 1 - from)->plug;
    way->first = s->next;
    if (!way->first)
        way->last = NULL;
    if (is_cut(lab, p, 1 - from))
        way->unknown += s->len;
    else
        way->on_way -= s->len;
    kl_lab_trace(lab, lab->now_ns << 20 ^ s->len ^ (u64)s->bytes[s->len - 1] << 56);
    plug->touched = true;
    if (is_garbled(lab, p, from))
        s->bytes[0] ^= 1;
    kl_swarm_feed(plug->swarm, p->end[1 - from].link, kl_span_of(s->bytes, s->len), lab->now_ns);
    free(s);
}

static void on_arrive(struct kl_lab *lab, struct lab_pipe *p, u32 from)
{
    struct way *way = &p->way[from];
    const struct end *to = &p->end[1 - from];
    if (is_cut(lab, p, from))
        return;
    if (to->state == OVER) {
        refuse(lab, p, from);
        return;
    }
    if (to->state != OPEN && !(way->fin && to->state == NOT_YET && from == 1))
        return;
    if (clog_ns(lab, p, from) > lab->now_ns) {
        post_arrive(lab, p, from, clog_ns(lab, p, from));
        return;
    }
    while (way->first && way->first->at_ns <= lab->now_ns && to->state == OPEN)
        take_segment(lab, p, from);
    if (!way->first && way->fin && way->fin_ns <= lab->now_ns && to->state != OVER)
        tell_closed(lab, p, 1 - from);
    if (way->first)
        post_arrive(lab, p, from, way->first->at_ns);
    else if (way->fin && to->state != OVER)
        post_arrive(lab, p, from, way->fin_ns);
    mark(lab, p, from);
}

void kl_lab_pipe_happen(struct kl_lab *lab, const kl_lab_event *event)
{
    struct lab_pipe *p = pipe_at(lab, event->peer, event->life);
    pipe_event what = (pipe_event)(event->lane >> 1);
    u32 e = event->lane & 1;
    if (!p)
        return;
    /* What the machine itself does waits until it goes on; its kernel answers all the same. */
    u32 acts = what == ARRIVE ? 1 - e : e;
    const struct kl_lab_machine *machine = machine_of(lab, p, acts);
    if (what != SYN && machine->plug && machine->paused_ns > lab->now_ns) {
        u64 next_ns = (lab->now_ns / PAUSE_LOOK_NS + 1) * PAUSE_LOOK_NS;
        kl_lab_post(lab, event, KL_MIN(next_ns, machine->paused_ns));
        return;
    }
    switch (what) {
    case SYN:
        on_syn(lab, p);
        break;
    case ACCEPT:
        on_accept(lab, p);
        break;
    case OPENED:
        on_opened(lab, p);
        break;
    case ARRIVE:
        if (event->at_ns >= p->way[e].event_ns)
            p->way[e].event_ns = UINT64_MAX;
        on_arrive(lab, p, e);
        break;
    case SHUT:
        tell_closed(lab, p, e);
        break;
    }
}

void kl_lab_pipe_heal(struct kl_lab *lab)
{
    for (u32 i = 0; i < lab->wire->pipe_count; i++) {
        struct lab_pipe *p = lab->wire->pipes[i];
        for (u32 e = 0; p && e < 2; e++) {
            struct way *way = &p->way[e];
            if (way->unknown && !is_cut(lab, p, 1 - e)) {
                way->on_way -= way->unknown;
                way->unknown = 0;
                mark(lab, p, e);
            }
            if ((way->first || way->fin) && !is_cut(lab, p, e))
                post_arrive(lab, p, e, lab->now_ns + kl_lab_wire_below(lab, 500 * KL_MS));
        }
    }
}

/* --- behind every event --- */

static void forget_over(struct kl_lab_wire *w)
{
    w->any_over = false;
    for (u32 i = 0; i < w->pipe_count; i++) {
        struct lab_pipe *p = w->pipes[i];
        if (!p || p->end[0].state != OVER || p->end[1].state == WAITS || p->end[1].state == OPEN)
            continue;
        w->pipes[i] = NULL;
        free_pipe(p);
    }
}

void kl_lab_pipe_settle(struct kl_lab *lab)
{
    struct kl_lab_wire *w = lab->wire;
    usize kept = 0;
    for (usize i = 0; i < w->dirty_count; i++) {
        struct lab_dirty d = w->dirty[i];
        struct lab_pipe *p = pipe_at(lab, d.pipe, d.serial);
        if (!p)
            continue;
        if (machine_of(lab, p, d.end)->paused_ns > lab->now_ns) {
            w->dirty[kept++] = d;
            continue;
        }
        p->way[d.end].dirty = false;
        flush(lab, p, d.end);
    }
    w->dirty_count = kept;
    if (w->any_over)
        forget_over(w);
}

void kl_lab_pipe_done(struct kl_lab *lab)
{
    struct kl_lab_wire *w = lab->wire;
    for (u32 i = 0; i < w->pipe_count; i++)
        if (w->pipes[i])
            free_pipe(w->pipes[i]);
    free(w->pipes);
    free(w->dirty);
}
