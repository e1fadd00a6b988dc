/* The world of a seed: time, network, and the model of a host that carries out effects. */
#include "consensus/simplex_sim_test.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

void sim_break(struct sim *sim, const char *format, ...)
{
    if (sim->broken[0] || (sim->o.only && (format[0] != sim->o.only || format[1] != ':')))
        return;
    va_list args;
    va_start(args, format);
    vsnprintf(sim->broken, sizeof sim->broken, format, args);
    va_end(args);
}

u32 sim_faulty_max(u32 validators)
{
    return (validators - 1) / 3;
}

bool sim_is_honest(const sim_node *node)
{
    return node->kind == SIM_HONEST;
}

u32 sim_index(const struct sim *sim, const sim_node *node)
{
    return (u32)(node - sim->nodes);
}

static bool is_smaller(const struct sim *sim, u64 epoch)
{
    return sim->o.leaves_at && epoch >= sim->o.leaves_at;
}

/* An epoch's set is the first one turned by one place for each epoch. */
const kl_valset *sim_set(const struct sim *sim, u64 epoch)
{
    if (is_smaller(sim, epoch))
        return &sim->smaller;
    return &sim->sets[epoch % sim->o.validators];
}

u32 sim_place(const struct sim *sim, const sim_node *node, u64 epoch)
{
    if (is_smaller(sim, epoch))
        return node->validator + 1 == sim->o.validators ? KL_BFT_NOBODY : node->validator;
    return (u32)((node->validator + epoch) % sim->o.validators);
}

u32 sim_validator(const struct sim *sim, u32 place, u64 epoch)
{
    if (is_smaller(sim, epoch))
        return place;
    u64 n = sim->o.validators;
    return (u32)((place + n - epoch % n) % n);
}

u64 sim_below(struct sim *sim, u64 n)
{
    return kl_rand_below(&sim->rng, n);
}

bool sim_percent(struct sim *sim, u32 p)
{
    return sim_below(sim, 100) < p;
}

void sim_trace(struct sim *sim, u64 word)
{
    u64 state = sim->trace ^ word;
    sim->trace = kl_rand(&state);
}

sim_block *sim_block_new(struct sim *sim, const kl_hash *parent, u64 height)
{
    KL_ASSERT(sim->block_count < SIM_BLOCKS_MAX);
    u32 id = sim->block_count++;
    sim_block *block = &sim->blocks[id];
    *block = (sim_block){.parent = *parent, .height = height, .valid = true};
    u64 state = sim->o.seed ^ (u64)id << 20;
    kl_rand_fill(&state, &block->hash, sizeof block->hash);
    kl_store_be32(block->hash.b, id);
    return block;
}

sim_block *sim_block_of(struct sim *sim, const kl_hash *hash)
{
    u32 id = kl_load_be32(hash->b);
    KL_ASSERT(id < sim->block_count && kl_hash_eq(&sim->blocks[id].hash, hash));
    return &sim->blocks[id];
}

void sim_sign(struct sim *sim, const sim_node *node, const kl_vote_subject *subject, kl_vote *out)
{
    u8 preimage[KL_VOTE_PREIMAGE_LEN];
    *out = (kl_vote){.subject = *subject, .signer = sim_place(sim, node, subject->proposal.epoch)};
    kl_vote_preimage(preimage, &sim->domain, sim->scheme->id, subject);
    KL_ASSERT(
        sim->scheme->sign(out->signature, &sim->secrets[node->validator], KL_SPAN_OF(preimage)));
}

/* --- the heap of what is to come --- */

static bool is_before(const sim_item *a, const sim_item *b)
{
    return a->at_ns != b->at_ns ? a->at_ns < b->at_ns : a->order < b->order;
}

void sim_post(struct sim *sim, sim_item *item, u64 at_ns)
{
    item->at_ns = KL_MAX(at_ns, sim->now_ns);
    item->order = sim->order++;
    if (sim->heap_count == sim->heap_cap) {
        sim->heap_cap = sim->heap_cap ? 2 * sim->heap_cap : 1024;
        sim->heap = realloc(sim->heap, sim->heap_cap * sizeof *sim->heap);
        KL_ASSERT(sim->heap);
    }
    usize i = sim->heap_count++;
    for (; i && is_before(item, sim->heap[(i - 1) / 2]); i = (i - 1) / 2)
        sim->heap[i] = sim->heap[(i - 1) / 2];
    sim->heap[i] = item;
}

static sim_item *pop(struct sim *sim)
{
    sim_item *first = sim->heap[0], *last = sim->heap[--sim->heap_count];
    usize i = 0, child;
    while ((child = 2 * i + 1) < sim->heap_count) {
        if (child + 1 < sim->heap_count && is_before(sim->heap[child + 1], sim->heap[child]))
            child++;
        if (!is_before(sim->heap[child], last))
            break;
        sim->heap[i] = sim->heap[child];
        i = child;
    }
    if (sim->heap_count)
        sim->heap[i] = last;
    return first;
}

sim_item *sim_item_new(struct sim *sim, sim_message message, const sim_node *from)
{
    sim_item *item = calloc(1, sizeof *item);
    KL_ASSERT(item);
    item->message = message;
    item->from = item->node = from ? sim_index(sim, from) : 0;
    item->life = from ? from->life : 0;
    item->view = from && from->engine ? from->engine->view : 0;
    return item;
}

/* --- network --- */

static void send_one(struct sim *sim, const sim_node *from, u32 to, const sim_item *item)
{
    u32 me = sim_index(sim, from);
    bool rough = !sim->calm;
    if (to == me || (from->kind == SIM_SELECTIVE && (to + me) % 2))
        return;
    if (rough && sim->passes && !sim->passes(sim, item, me, to))
        return;
    if (rough && (sim->cut[me][to] || sim_percent(sim, sim->o.loss_percent)))
        return;
    u32 copies = rough && sim_percent(sim, sim->o.duplicate_percent) ? 2 : 1;
    for (u32 i = 0; i < copies; i++) {
        sim_item *copy = malloc(sizeof *copy);
        KL_ASSERT(copy);
        *copy = *item;
        copy->node = to;
        copy->from = me;
        u64 delay_ns = sim->o.steady ? sim->o.delay_ns : SIM_MS + sim_below(sim, sim->o.delay_ns);
        if (rough && sim_percent(sim, 5))
            delay_ns += sim_below(sim, sim->o.tail_ns + 1);
        if (from->kind == SIM_LATE)
            delay_ns += 990 * SIM_MS;
        sim_post(sim, copy, sim->now_ns + delay_ns);
    }
}

void sim_send(struct sim *sim, const sim_node *from, u32 to, const sim_item *item)
{
    if (from->kind == SIM_SILENT)
        return;
    for (u32 i = 0; i < sim->count; i++)
        if (to == KL_BFT_ALL || to == i)
            send_one(sim, from, i, item);
}

u32 sim_somebody(struct sim *sim, const sim_node *but)
{
    if (sim->count == 1)
        return 0;
    u32 other = (u32)sim_below(sim, sim->count - 1);
    return other + (other >= sim_index(sim, but));
}

void sim_send_message(struct sim *sim, const sim_node *from, u32 to, sim_item *item)
{
    sim_send(sim, from, to, item);
    free(item);
}

/* --- life and weather --- */

static void restore_turns(struct sim *sim, sim_node *node, u64 epoch)
{
    for (u32 i = 0; i < node->guard_count; i++) {
        kl_bft_event event = {.kind = KL_BFT_RESTORE_PROPOSAL, .vote = &node->guard[i].leader};
        if (event.vote->subject.kind && event.vote->subject.proposal.epoch == epoch)
            sim_step(sim, node, &event);
    }
    for (u32 i = 0; i < node->turn_count; i++) {
        const sim_turn *turn = &node->turns[i];
        kl_bft_event event = {
            .kind = KL_BFT_RESTORE_TURN, .epoch = turn->epoch, .view = turn->view};
        if (turn->epoch == epoch && sim_is_forfeit(node, epoch, turn->view)) {
            sim->sometimes[SOMETIMES_FORFEIT]++;
            sim_step(sim, node, &event);
        }
    }
}

void sim_start(struct sim *sim, sim_node *node)
{
    u64 height = node->height_durable;
    kl_simplex_config config = {
        .domain = sim->domain,
        .validators_max = sim->o.validators,
        .window = sim->o.window,
        .block_period_ns = 200 * SIM_MS,
        .delta_ns = 500 * SIM_MS,
        .retry_ns = 1000 * SIM_MS,
        .empty_period_ns = sim->o.idle ? 5000 * SIM_MS : 0,
        .signing = true,
        .epoch = sim_epoch_of(sim, node, height, &node->ledger[height]),
    };
    if (!node->room) {
        usize bytes = (kl_simplex_footprint(&config) + 63) / 64 * 64;
        node->room = aligned_alloc(64, bytes);
        KL_ASSERT(node->room);
        sim->effects_cap = kl_simplex_effects_max(&config);
        sim->effects = realloc(sim->effects, sim->effects_cap * sizeof *sim->effects);
        KL_ASSERT(sim->effects);
    }
    node->engine = kl_simplex_init(node->room, &config);
    node->up = true;
    node->life++;
    node->height = height;
    node->timer_ns = NEVER;
    memset(node->heard, 0, SIM_HEARD * sizeof *node->heard);
    memset(node->conflicts, 0, sizeof node->conflicts);
    memset(node->named, 0, sizeof node->named);
    u64 epoch = config.epoch.epoch;
    if ((sim->o.host_mutants & SIM_GUARD_RESET) && config.epoch.floor.view == 0)
        node->guard_count = node->turn_count = 0;
    for (u32 i = 0; i < node->log_count; i++) {
        kl_bft_event event = {.kind = KL_BFT_RESTORE_CERTIFICATE,
                              .certificate = &node->log[i].certificate};
        const kl_proposal *p = &event.certificate->subject.proposal;
        if (p->epoch == epoch && p->view >= config.epoch.floor.view)
            sim_step(sim, node, &event);
    }
    for (u32 i = 0; i < node->guard_count; i++) {
        kl_bft_event event = {.kind = KL_BFT_RESTORE_VOTE, .vote = &node->guard[i].vote};
        if (event.vote->subject.proposal.epoch == epoch)
            sim_step(sim, node, &event);
    }
    restore_turns(sim, node, epoch);
    kl_bft_event event = {.kind = KL_BFT_START};
    sim_step(sim, node, &event);
}

/* What is not durable yet may be gone; a vote that waits for its record has not left. */
static void lose_records(struct sim *sim, sim_node *node)
{
    u32 kept = 0;
    for (u32 i = 0; i < node->guard_count; i++)
        if (node->guard[i].durable_ns <= sim->now_ns || sim_percent(sim, 40))
            node->guard[kept++] = node->guard[i];
    node->guard_count = kept;
    kept = 0;
    for (u32 i = 0; i < node->turn_count; i++)
        if (node->turns[i].durable_ns <= sim->now_ns || sim_percent(sim, 40))
            node->turns[kept++] = node->turns[i];
    node->turn_count = kept;
}

void sim_crash(struct sim *sim, sim_node *node)
{
    node->up = false;
    node->life++;
    node->pending = false;
    node->log_count =
        node->log_synced + (u32)sim_below(sim, (u64)node->log_count - node->log_synced + 1);
    node->log_synced = node->log_count;
    if (sim->o.host_mutants & SIM_GUARD_UNSYNCED)
        node->guard_count -= (u32)sim_below(sim, KL_MIN(node->guard_count, 4u) + 1);
    lose_records(sim, node);
    for (u32 i = 1; i < sim->block_count; i++) {
        bool kept =
            (node->has[i] & HAS_DURABLE) || ((node->has[i] & HAS_BODY) && sim_below(sim, 2));
        bool committed =
            sim->blocks[i].height <= node->height_durable && (node->has[i] & HAS_DURABLE);
        node->has[i] = (u8)(kept ? HAS_BODY | HAS_DURABLE | (committed ? HAS_EXECUTED : 0) : 0);
    }
    sim->sometimes[SOMETIMES_RESTART]++;
}

static void weather(struct sim *sim)
{
    if (sim->now_ns >= sim->o.gst_ns) {
        if (!sim->calm || !sim->now_ns)
            sim->height_at_gst = sim->height;
        sim->calm = true;
        memset(sim->cut, 0, sizeof sim->cut);
        for (u32 i = 0; i < sim->count; i++)
            if (!sim->nodes[i].up)
                sim_start(sim, &sim->nodes[i]);
    }
    if (!sim->calm && sim->o.partitions) {
        bool open = sim_percent(sim, 50);
        u64 side = kl_rand(&sim->rng), asymmetric = sim_below(sim, 2);
        for (u32 a = 0; a < sim->count; a++)
            for (u32 b = 0; b < sim->count; b++)
                sim->cut[a][b] =
                    !open && (side >> a & 1) != (side >> b & 1) && (!asymmetric || (side >> a & 1));
    }
    if (!sim->calm && sim->o.crashes) {
        bool all = sim_percent(sim, 3);
        for (u32 i = 0; i < sim->count; i++) {
            sim_node *node = &sim->nodes[i];
            if (node->up && (all || sim_percent(sim, 10)))
                sim_crash(sim, node);
            else if (!node->up && sim_percent(sim, 50))
                sim_start(sim, node);
        }
    }
    for (u32 i = 0; i < sim->count && sim->o.idle && sim_percent(sim, 40); i++) {
        if (!sim->nodes[i].up)
            continue;
        sim_item *item = sim_item_new(sim, M_EVENT, &sim->nodes[i]);
        item->event.kind = KL_BFT_PENDING;
        item->event.on = true;
        sim_post(sim, item, sim->now_ns + sim_below(sim, 50 * SIM_MS));
    }
    sim_item *item = sim_item_new(sim, M_WORLD, NULL);
    u64 next = sim->now_ns + 300 * SIM_MS + sim_below(sim, 1500 * SIM_MS);
    if (!sim->calm && next > sim->o.gst_ns)
        next = sim->o.gst_ns;
    sim_post(sim, item, next);
}

/* Who is faulty, and what all weigh.  With weights any validators are, up to F of the weight. */
static void choose_faulty(struct sim *sim)
{
    u32 n = sim->o.validators, range = 1u << sim_below(sim, 5);
    u64 total = 0, bad = 0;
    bool weighs = sim->o.weights && n > 1;
    for (u32 i = 0; i < n; i++) {
        sim->weights[i] = weighs ? 1 + sim_below(sim, range) : 1;
        sim->faulty[i] = !weighs && i < sim->o.faulty;
        total += sim->weights[i];
    }
    u32 wanted = weighs && sim->o.faulty ? 1 + (u32)sim_below(sim, n) : 0;
    for (u32 k = 0, at = (u32)sim_below(sim, n); k < n && wanted; k++, at = (at + 1) % n)
        if (bad + sim->weights[at] <= (total - 1) / 3) {
            sim->faulty[at] = true;
            bad += sim->weights[at];
            wanted--;
        }
}

static void make_sets(struct sim *sim)
{
    u32 n = sim->o.validators;
    for (u32 i = 0; i < n; i++) {
        kl_rand_fill(&sim->rng, &sim->secrets[i], sizeof sim->secrets[i]);
        sim->secrets[i].b[0] &= 0x3f; /* below the order of every scheme's group */
    }
    choose_faulty(sim);
    for (u32 turn = 0; turn < n; turn++) {
        for (u32 i = 0; i < n; i++) {
            kl_validator *v = &sim->validators[turn][(i + turn) % n];
            v->weight = sim->weights[i];
            kl_store_be32(v->operator.b, i + 1);
            KL_ASSERT(sim->scheme->public_key(v->key, &sim->secrets[i]));
        }
        KL_ASSERT(kl_valset_init(&sim->sets[turn], sim->scheme, sim->validators[turn], n) ==
                  KL_RULE_NONE);
    }
    if (n > 1)
        KL_ASSERT(kl_valset_init(&sim->smaller, sim->scheme, sim->validators[0], n - 1) ==
                  KL_RULE_NONE);
}

static sim_kind kind_of(struct sim *sim)
{
    if (sim->o.kind != SIM_KINDS)
        return sim->o.kind;
    return SIM_TWIN + (sim_kind)sim_below(sim, SIM_KINDS - SIM_TWIN);
}

static void begin(struct sim *sim, const sim_options *options)
{
    memset(sim, 0, sizeof *sim);
    sim->o = *options;
    sim->rng = options->seed;
    sim->scheme = kl_vote_scheme_of(options->scheme ? options->scheme : KL_SCHEME_KEYED_HASH, true);
    sim->domain.chain_id = 1;
    make_sets(sim);
    sim->nodes = calloc(SIM_NODES_MAX, sizeof *sim->nodes);
    sim->blocks = calloc(SIM_BLOCKS_MAX, sizeof *sim->blocks);
    sim->views = calloc(SIM_VIEWS_MAX, sizeof *sim->views);
    KL_ASSERT(sim->nodes && sim->blocks && sim->views);
    kl_hash zero = {{0}};
    sim_block *genesis = sim_block_new(sim, &zero, 0);
    sim->final[0] = genesis->hash;
    sim->count = options->validators;
    for (u32 i = 0; i < options->validators; i++) {
        sim_node *node = &sim->nodes[i];
        node->validator = i;
        node->kind = sim->faulty[i] ? kind_of(sim) : SIM_HONEST;
        if (node->kind == SIM_TWIN && sim->count < SIM_NODES_MAX)
            sim->nodes[sim->count++] = *node;
    }
    for (u32 i = 0; i < sim->count; i++) {
        sim_node *node = &sim->nodes[i];
        node->has[0] = HAS_BODY | HAS_DURABLE | HAS_EXECUTED;
        node->ledger[0] = (kl_proposal){.block_hash = genesis->hash};
        node->log = calloc(SIM_LOG_MAX, sizeof *node->log);
        node->guard = calloc(SIM_GUARD_MAX, sizeof *node->guard);
        node->turns = calloc(SIM_TURNS_MAX, sizeof *node->turns);
        node->heard = calloc(SIM_HEARD, sizeof *node->heard);
        KL_ASSERT(node->log && node->guard && node->turns && node->heard);
        sim_start(sim, node);
    }
}

void sim_begin(struct sim *sim, const sim_options *options)
{
    begin(sim, options);
    sim->calm = options->calm;
    sim_post(sim, sim_item_new(sim, M_WORLD, NULL), 0);
}

void sim_until(struct sim *sim, u64 end_ns)
{
    while (sim->heap_count && !sim->broken[0] && sim->heap[0]->at_ns <= end_ns &&
           (!sim->forked || sim->heap[0]->at_ns <= sim->forked_ns + 3000 * SIM_MS) &&
           sim->height + 8 < SIM_HEIGHTS_MAX && sim->block_count < SIM_BLOCKS_MAX - 64) {
        sim_item *item = pop(sim);
        sim->now_ns = item->at_ns;
        if (item->message == M_WORLD)
            weather(sim);
        else
            sim_arrive(sim, item);
        free(item);
    }
}

void sim_run(struct sim *sim, const sim_options *options)
{
    sim_begin(sim, options);
    sim_until(sim, options->end_ns);
    if (options->forks)
        oracle_accounts(sim);
    else
        oracle_end(sim);
}

void sim_done(struct sim *sim)
{
    for (usize i = 0; i < sim->heap_count; i++)
        free(sim->heap[i]);
    for (u32 i = 0; i < sim->count; i++) {
        free(sim->nodes[i].room);
        free(sim->nodes[i].log);
        free(sim->nodes[i].guard);
        free(sim->nodes[i].turns);
        free(sim->nodes[i].heard);
    }
    free(sim->heap);
    free(sim->nodes);
    free(sim->blocks);
    free(sim->views);
    free(sim->effects);
}

sim_options sim_swarm(u64 seed, u32 validators)
{
    u64 r = seed * 0x9e3779b97f4a7c15u + validators;
    bool on[8];
    for (u32 i = 0; i < KL_COUNT_OF(on); i++)
        on[i] = kl_rand(&r) & 1;
    u32 f = sim_faulty_max(validators);
    return (sim_options){
        .seed = seed,
        .validators = validators,
        .faulty = (u32)kl_rand_below(&r, f + 1),
        .kind = SIM_KINDS,
        .gst_ns = 15000 * SIM_MS,
        .end_ns = 60000 * SIM_MS,
        .loss_percent = on[0] ? (u32)kl_rand_below(&r, 30) : 0,
        .duplicate_percent = on[1] ? (u32)kl_rand_below(&r, 20) : 0,
        .delay_ns = (5 + kl_rand_below(&r, 60)) * SIM_MS,
        .tail_ns = on[2] ? 3000 * SIM_MS : 0,
        .partitions = on[3],
        .crashes = on[4],
        .slow_disk = on[5],
        .weights = on[6],
        .idle = on[7] && kl_rand_below(&r, 2),
        .epoch_blocks = 4 + kl_rand_below(&r, 30),
        .window = kl_rand_below(&r, 3) ? 16 : 64,
    };
}
