/* Who is wanted by network.json is so for good; validators come and go with what they announce and
 * with the set. */
#include "node/peers.h"

#include <stdlib.h>

#include "base/sync.h"

#define FILE_NAME "peers.json"
#define NEW_NAME  "peers.json.new"
#define NS_PER_S  UINT64_C(1000000000)
#define NS_PER_MS UINT64_C(1000000)
#define SHUN_NS   (600 * NS_PER_S)
#define SOON_NS   (2 * NS_PER_S)    /* others may have heard of a new set later than we did */
#define AGAIN_NS  (60 * NS_PER_S)   /* or much later */
#define REPEAT_NS (3600 * NS_PER_S) /* for who has forgotten */
#define NEVER     UINT64_MAX

enum { WANTED_MAX = KL_VALIDATORS_MAX };

struct kl_peers {
    struct kl_net_addresses addresses;
    kl_roster roster;
    kl_secret32 identity, vote_secret;
    bool has_vote;
    kl_vote_domain domain;
    const kl_vote_scheme *scheme;
    u8 key[KL_VOTE_KEY_MAX];
    struct kl_clock *clock;
    struct kl_peers_wire *wire;
    kl_peer_id self;
    kl_reach reach;

    kl_mutex lock; /* of all that follows */
    struct kl_book *book;
    struct kl_herald *herald;
    bool begun, is_validator;
    u16 port;
    kl_multiaddr observed; /* where a friend sees us; no host: none has said */
    u64 own_seq, announce_ns;
    u32 announced;       /* how often, since there was news */
    kl_peer_record said; /* what we announced last */
    struct kl_buf own;   /* the same, proven; nothing: not yet */
    u32 wanted_count;
    kl_peer_id wanted[WANTED_MAX]; /* validators and sentries that network.json does not name */
};

/* --- network.json --- */

bool kl_peers_guards(const struct kl_peers *p, const kl_peer_id *id)
{
    for (u32 i = 0; i < p->roster.guard_count; i++)
        if (kl_peer_id_eq(&p->roster.guards[i], id))
            return true;
    return false;
}

static bool is_named(const struct kl_peers *p, const kl_peer_id *id)
{
    for (u32 i = 0; i < p->roster.peer_count; i++)
        if (p->roster.peers[i].has_peer && kl_peer_id_eq(&p->roster.peers[i].peer, id))
            return true;
    for (u32 i = 0; i < p->roster.sentry_count; i++)
        if (kl_peer_id_eq(&p->roster.sentries[i].peer, id))
            return true;
    for (u32 i = 0; i < p->roster.allow_count; i++)
        if (kl_peer_id_eq(&p->roster.allow[i], id))
            return true;
    return kl_peers_guards(p, id);
}

/* Validators and their sentries come back to their peers fast. */
static kl_swarm_standing standing(const struct kl_peers *p)
{
    return p->has_vote || p->roster.guard_count ? KL_SWARM_VALIDATOR : KL_SWARM_FRIEND;
}

static void befriend(struct kl_peers *p, const kl_peer_id *id, const kl_multiaddr *addr)
{
    if (kl_peer_id_eq(id, &p->self))
        return;
    if (kl_book_befriend(p->book, id, addr, addr != NULL, kl_mono_ns(p->clock)) == KL_OK)
        p->wire->want(p->wire, id, standing(p));
}

static void befriend_all(struct kl_peers *p)
{
    const kl_roster *r = &p->roster;
    for (u32 i = 0; i < r->peer_count; i++) {
        if (r->peers[i].has_peer)
            befriend(p, &r->peers[i].peer, &r->peers[i]);
        else /* what is beyond the room for doors is not dialled */
            (void)!kl_book_door(p->book, &r->peers[i], kl_mono_ns(p->clock));
    }
    for (u32 i = 0; i < r->sentry_count; i++)
        befriend(p, &r->sentries[i].peer, &r->sentries[i]);
    for (u32 i = 0; i < r->allow_count; i++)
        befriend(p, &r->allow[i], NULL);
    for (u32 i = 0; i < r->guard_count; i++)
        befriend(p, &r->guards[i], NULL);
}

static void reach_to(kl_reach *reach, const kl_multiaddr *addr)
{
    kl_reach found = kl_reach_of(addr);
    if (found != KL_REACH_NOWHERE)
        *reach = KL_MIN(*reach, found);
}

/* The innermost network that the file speaks of. */
static kl_reach reach_of(const kl_roster *r)
{
    kl_reach reach = KL_REACH_WORLD;
    reach_to(&reach, &r->listen);
    for (u32 i = 0; i < r->announce_count; i++)
        reach_to(&reach, &r->announce[i]);
    for (u32 i = 0; i < r->peer_count; i++)
        reach_to(&reach, &r->peers[i]);
    for (u32 i = 0; i < r->sentry_count; i++)
        reach_to(&reach, &r->sentries[i]);
    return reach;
}

/* Of others a record without a seq is none. */
static void tell(struct kl_peers *p, const kl_peer_id *source, const kl_peer_record *record)
{
    if (record->seq || kl_peer_id_eq(source, &record->peer))
        (void)kl_book_tell(p->book, source, record, kl_mono_ns(p->clock));
}

/* --- where we are --- */

static usize own_addrs(const struct kl_peers *p, kl_multiaddr out[KL_NET_ADDRS_MAX])
{
    const kl_roster *r = &p->roster;
    if (!r->says_where)
        return 0;
    for (u32 i = 0; i < r->announce_count; i++)
        out[i] = r->announce[i];
    if (r->announce_count)
        return r->announce_count;
    out[0] = kl_reach_of(&r->listen) != KL_REACH_NOWHERE ? r->listen : p->observed;
    out[0].has_port = true;
    out[0].port = p->port;
    return kl_reach_of(&out[0]) != KL_REACH_NOWHERE ? 1 : 0;
}

/* Where a sentry is for others: what reaches furthest of where we find it and of what it says. */
static kl_multiaddr sentry_addr(const struct kl_peers *p, const kl_multiaddr *sentry)
{
    kl_book_peer known = {0};
    kl_multiaddr best = *sentry;
    (void)kl_book_find(p->book, &sentry->peer, &known);
    for (u32 i = 0; i < known.count; i++)
        if (kl_reach_of(&known.addrs[i]) > kl_reach_of(&best))
            best = known.addrs[i];
    best.has_peer = true;
    best.peer = sentry->peer;
    return best;
}

/* Each once, as many as there is room for. */
static usize sentry_addrs(const struct kl_peers *p, kl_multiaddr out[KL_RECORD_ADDRS_MAX])
{
    usize count = 0;
    for (u32 i = 0; i < p->roster.sentry_count && count < KL_RECORD_ADDRS_MAX; i++) {
        bool is_there = false;
        for (usize j = 0; j < count; j++)
            is_there |= kl_peer_id_eq(&out[j].peer, &p->roster.sentries[i].peer);
        if (!is_there)
            out[count++] = sentry_addr(p, &p->roster.sentries[i]);
    }
    return count;
}

static void fill_record(const struct kl_peers *p, kl_peer_record *record)
{
    *record = (kl_peer_record){.peer = p->self};
    record->count =
        p->roster.sentry_count ? sentry_addrs(p, record->addrs) : own_addrs(p, record->addrs);
}

/* Our announcement, as of now, with as many addresses as it has room for. */
static void prove(struct kl_peers *p)
{
    kl_peer_record *record = &p->said;
    fill_record(p, record);
    p->own_seq = KL_MAX(p->own_seq + 1, kl_wall_ns(p->clock) / NS_PER_MS);
    record->seq = p->own_seq;
    for (;; record->count--) {
        kl_buf_clear(&p->own);
        if (kl_herald_put(&p->own, record, &p->identity, p->scheme, &p->vote_secret, &p->domain) ||
            record->count == 0)
            return;
    }
}

/* Says anew where we are, to all, as a validator. */
static void announce(struct kl_peers *p)
{
    static const u64 pauses[] = {SOON_NS, AGAIN_NS, REPEAT_NS};
    kl_peer_record said;
    kl_rule broken;
    p->announce_ns = NEVER;
    if (!p->begun || !p->has_vote)
        return;
    prove(p);
    if (!p->is_validator)
        return;
    if (kl_herald_hear(p->herald, kl_buf_view(&p->own), &said, &broken) == KL_HERALD_NEW)
        p->wire->publish(p->wire, kl_buf_view(&p->own));
    p->announce_ns = kl_mono_ns(p->clock) + pauses[p->announced];
    p->announced += p->announced + 1 < KL_COUNT_OF(pauses);
}

static void announce_news(struct kl_peers *p)
{
    p->announced = 0;
    announce(p);
}

static void say_where(struct kl_peers *p)
{
    kl_multiaddr addrs[KL_NET_ADDRS_MAX];
    usize count = own_addrs(p, addrs);
    p->wire->set_addrs(p->wire, addrs, count);
    announce_news(p);
}

/* A sentry has said where it is. */
static void look_at_sentries(struct kl_peers *p)
{
    kl_peer_record record;
    fill_record(p, &record);
    bool same = record.count == p->said.count;
    for (usize i = 0; same && i < record.count; i++)
        same = kl_multiaddr_eq(&record.addrs[i], &p->said.addrs[i]);
    if (!same)
        announce_news(p);
}

/* --- validators --- */

static bool wants_validators(const struct kl_peers *p)
{
    return p->begun && !p->roster.sentry_count && (p->is_validator || p->roster.guard_count);
}

static void drop_unwanted(struct kl_peers *p, bool wants)
{
    u32 kept = 0;
    for (u32 i = 0; i < p->wanted_count; i++) {
        if (wants && kl_herald_find(p->herald, &p->wanted[i])) {
            p->wanted[kept++] = p->wanted[i];
            continue;
        }
        kl_book_unfriend(p->book, &p->wanted[i]);
        p->wire->unwant(p->wire, &p->wanted[i]);
    }
    p->wanted_count = kept;
}

static void want_one(struct kl_peers *p, const kl_peer_id *id)
{
    if (p->wanted_count == WANTED_MAX || kl_peer_id_eq(id, &p->self) || is_named(p, id) ||
        kl_book_is_friend(p->book, id))
        return;
    befriend(p, id, NULL);
    if (kl_book_is_friend(p->book, id))
        p->wanted[p->wanted_count++] = *id;
}

/* The sentry of that number, of those that differ; false: there are not so many. */
static bool pick_sentry(kl_multiaddr *out, const kl_multiaddr *list, usize count, u32 number)
{
    u32 seen = 0;
    for (usize i = 0; i < count; i++) {
        bool is_first = true;
        for (usize j = 0; j < i; j++)
            is_first &= !kl_peer_id_eq(&list[i].peer, &list[j].peer);
        if (is_first && seen++ == number) {
            *out = list[i];
            return true;
        }
    }
    return false;
}

/* What its ward says of where it is counts as what it says itself without a signature. */
static void want_sentry(struct kl_peers *p, const kl_multiaddr *sentry)
{
    want_one(p, &sentry->peer);
    if (kl_book_is_friend(p->book, &sentry->peer))
        tell(p, &sentry->peer,
             &(kl_peer_record){.peer = sentry->peer, .count = 1, .addrs = {*sentry}});
}

/* One sentry of each validator before the second of any: room may be short. */
static void want_sentries(struct kl_peers *p)
{
    for (u32 turn = 0; turn < KL_PEERS_SENTRIES_MAX; turn++)
        for (u32 i = 0; i < kl_herald_count(p->herald); i++) {
            kl_multiaddr list[KL_RECORD_ADDRS_MAX], sentry;
            kl_peer_id ward;
            usize count = kl_herald_sentries(p->herald, i, list);
            (void)kl_herald_at(p->herald, i, &ward);
            if (!is_named(p, &ward) && pick_sentry(&sentry, list, count, turn))
                want_sentry(p, &sentry);
        }
}

static void keep_wanted(struct kl_peers *p)
{
    kl_multiaddr sentries[KL_RECORD_ADDRS_MAX];
    kl_peer_id id;
    bool wants = wants_validators(p);
    drop_unwanted(p, wants);
    if (!wants)
        return;
    for (u32 i = 0; i < kl_herald_count(p->herald); i++) {
        (void)kl_herald_at(p->herald, i, &id);
        if (!kl_herald_sentries(p->herald, i, sentries))
            want_one(p, &id);
    }
    want_sentries(p);
}

void kl_peers_set_validators(struct kl_peers *p, const kl_valset *set)
{
    u32 place;
    kl_lock(&p->lock);
    kl_herald_set_validators(p->herald, set);
    bool was_validator = p->is_validator;
    p->is_validator =
        p->has_vote && set->scheme == p->scheme && kl_valset_find(set, p->key, &place);
    if (p->is_validator != was_validator)
        announce_news(p);
    keep_wanted(p);
    kl_unlock(&p->lock);
}

static kl_herald_news hear(struct kl_peers *p, const kl_peer_id *from, kl_span announcement,
                           bool by_gossip, kl_rule *broken)
{
    kl_multiaddr sentries[KL_RECORD_ADDRS_MAX];
    kl_peer_record record;
    kl_herald_news news = kl_herald_hear(p->herald, announcement, &record, broken);
    if (news == KL_HERALD_NEW && !kl_peer_id_eq(&record.peer, &p->self)) {
        keep_wanted(p);
        if (!kl_herald_sentries_in(&record, sentries))
            tell(p, from, &record);
        if (!by_gossip && !p->roster.sentry_count)
            p->wire->publish(p->wire, announcement);
    }
    return news;
}

kl_herald_news kl_peers_hear(struct kl_peers *p, const kl_peer_id *from, kl_span announcement,
                             bool by_gossip, kl_rule *broken)
{
    kl_lock(&p->lock);
    kl_herald_news news = hear(p, from, announcement, by_gossip, broken);
    kl_unlock(&p->lock);
    return news;
}

/* --- who is let in --- */

void kl_peers_put_pass(struct kl_peers *p, struct kl_buf *out)
{
    kl_lock(&p->lock);
    kl_span pass = kl_buf_view(&p->own);
    for (u32 i = 0; i < p->roster.guard_count && !pass.len; i++)
        pass = kl_herald_of(p->herald, &p->roster.guards[i]);
    kl_buf_span(out, pass);
    kl_unlock(&p->lock);
}

kl_swarm_standing kl_peers_introduced(struct kl_peers *p, const kl_peer_id *id, kl_span pass)
{
    kl_rule broken;
    kl_lock(&p->lock);
    if (pass.len && wants_validators(p))
        (void)hear(p, id, pass, false, &broken);
    kl_swarm_standing as = kl_book_is_friend(p->book, id) ? standing(p) : KL_SWARM_STRANGER;
    kl_unlock(&p->lock);
    return as;
}

/* --- the net's questions --- */

static struct kl_peers *of(struct kl_net_addresses *addresses)
{
    return (struct kl_peers *)addresses;
}

static usize where(struct kl_net_addresses *addresses, const kl_peer_id *id,
                   kl_multiaddr out[KL_NET_ADDRS_MAX])
{
    struct kl_peers *p = of(addresses);
    _Static_assert((int)KL_BOOK_ADDRS_MAX <= (int)KL_NET_ADDRS_MAX, "all fit");
    kl_lock(&p->lock);
    usize count = kl_book_where(p->book, id, out);
    kl_unlock(&p->lock);
    return count;
}

/* A name of the operator's may lead anywhere, a stranger's only where a stranger may send us. */
static bool admits(struct kl_net_addresses *addresses, const kl_multiaddr *given,
                   const kl_multiaddr *found)
{
    const struct kl_peers *p = of(addresses);
    for (u32 i = 0; i < p->roster.peer_count; i++)
        if (kl_multiaddr_same_place(&p->roster.peers[i], given))
            return true;
    for (u32 i = 0; i < p->roster.sentry_count; i++)
        if (kl_multiaddr_same_place(&p->roster.sentries[i], given))
            return true;
    return kl_reach_admits(p->reach, found);
}

static void tried(struct kl_net_addresses *addresses, const kl_peer_id *id,
                  const kl_multiaddr *addr, bool good)
{
    struct kl_peers *p = of(addresses);
    kl_lock(&p->lock);
    kl_book_tried(p->book, id, addr, good, kl_mono_ns(p->clock), kl_wall_ns(p->clock) / NS_PER_S);
    kl_unlock(&p->lock);
}

struct kl_net_addresses *kl_peers_addresses(struct kl_peers *p)
{
    return &p->addresses;
}

bool kl_peers_wants(struct kl_peers *p, const kl_peer_id *id)
{
    kl_lock(&p->lock);
    bool wants = kl_book_is_friend(p->book, id);
    kl_unlock(&p->lock);
    return wants;
}

static bool is_met(const struct kl_peers *p, const kl_peer_id *id)
{
    kl_book_peer known;
    return kl_book_find(p->book, id, &known) && known.is_met;
}

/* At one of these; or we are one. */
static bool is_met_any(const struct kl_peers *p, const kl_multiaddr *sentries, usize count)
{
    for (usize i = 0; i < count; i++)
        if (kl_peer_id_eq(&sentries[i].peer, &p->self) || is_met(p, &sentries[i].peer))
            return true;
    return false;
}

static bool reaches(const struct kl_peers *p, const u8 *key)
{
    kl_multiaddr sentries[KL_RECORD_ADDRS_MAX];
    kl_peer_id id;
    u32 index;
    if (p->has_vote && memcmp(key, p->key, p->scheme->key_len) == 0)
        return true;
    if (p->is_validator && p->roster.sentry_count)
        return is_met_any(p, p->roster.sentries, p->roster.sentry_count);
    if (!wants_validators(p))
        return true;
    if (!kl_herald_of_key(p->herald, key, &index))
        return false;
    (void)kl_herald_at(p->herald, index, &id);
    usize count = kl_herald_sentries(p->herald, index, sentries);
    return is_met(p, &id) || is_met_any(p, sentries, count);
}

bool kl_peers_reaches(struct kl_peers *p, const u8 *key)
{
    kl_lock(&p->lock);
    bool is = reaches(p, key);
    kl_unlock(&p->lock);
    return is;
}

/* --- what happens there --- */

void kl_peers_met(struct kl_peers *p, const kl_peer_id *id, bool is_outbound)
{
    kl_lock(&p->lock);
    kl_book_met(p->book, id, is_outbound, kl_mono_ns(p->clock));
    kl_unlock(&p->lock);
}

void kl_peers_lost(struct kl_peers *p, const kl_peer_id *id)
{
    kl_lock(&p->lock);
    kl_book_lost(p->book, id, kl_mono_ns(p->clock));
    kl_unlock(&p->lock);
}

void kl_peers_up(struct kl_peers *p, u32 peer)
{
    kl_lock(&p->lock);
    for (u32 i = 0; i < kl_herald_count(p->herald); i++) {
        kl_peer_id id;
        p->wire->send(p->wire, peer, kl_herald_at(p->herald, i, &id));
    }
    kl_unlock(&p->lock);
}

void kl_peers_identified(struct kl_peers *p, const kl_peer_id *id, const kl_identify *said,
                         const kl_peer_record *record)
{
    kl_peer_record unsigned_one = {.peer = *id, .count = said->addr_count};
    memcpy(unsigned_one.addrs, said->addrs, said->addr_count * sizeof *said->addrs);
    kl_lock(&p->lock);
    bool is_friend = kl_book_is_friend(p->book, id);
    tell(p, id, record ? record : &unsigned_one);
    /* Whom the operator named may say where we are. */
    if (is_friend && is_named(p, id) && said->has_observed &&
        kl_reach_of(&said->observed) != KL_REACH_NOWHERE) {
        kl_multiaddr seen = {.host = said->observed.host};
        memcpy(seen.ip, said->observed.ip, sizeof seen.ip);
        if (!kl_multiaddr_eq(&seen, &p->observed)) {
            p->observed = seen;
            if (kl_reach_of(&p->roster.listen) == KL_REACH_NOWHERE && p->begun)
                say_where(p);
        }
    }
    if (is_friend && p->roster.sentry_count)
        look_at_sentries(p);
    kl_unlock(&p->lock);
}

void kl_peers_heard_of(struct kl_peers *p, const kl_peer_id *from, const kl_peer_record *record)
{
    kl_lock(&p->lock);
    tell(p, from, record);
    kl_unlock(&p->lock);
}

void kl_peers_dropped(struct kl_peers *p, const kl_peer_id *id)
{
    kl_lock(&p->lock);
    kl_book_shun(p->book, id, kl_mono_ns(p->clock) + SHUN_NS);
    kl_unlock(&p->lock);
}

/* --- time --- */

void kl_peers_tick(struct kl_peers *p)
{
    kl_multiaddr addr;
    kl_lock(&p->lock);
    u64 now_ns = kl_mono_ns(p->clock);
    if (p->announce_ns <= now_ns)
        announce(p);
    while (p->begun && kl_book_next(p->book, &addr, now_ns))
        p->wire->dial(p->wire, &addr);
    kl_unlock(&p->lock);
}

u64 kl_peers_due_ns(struct kl_peers *p)
{
    kl_lock(&p->lock);
    u64 due_ns = p->begun ? KL_MIN(p->announce_ns, kl_book_due_ns(p->book)) : NEVER;
    kl_unlock(&p->lock);
    return due_ns;
}

/* --- the file --- */

kl_status kl_peers_load(struct kl_peers *p, struct kl_fs *fs, kl_rule *broken)
{
    struct kl_arena arena;
    kl_span text;
    u64 seq;
    *broken = KL_RULE_NONE;
    kl_arena_init(&arena, 2 * KL_BOOK_TEXT_MAX);
    kl_status status = kl_fs_read_whole(fs, FILE_NAME, KL_BOOK_TEXT_MAX, &arena, &text);
    kl_lock(&p->lock);
    if (status == KL_OK)
        status = kl_book_get(p->book, &seq, text, kl_mono_ns(p->clock), broken);
    if (status == KL_OK && *broken == KL_RULE_NONE)
        p->own_seq = KL_MAX(p->own_seq, seq);
    kl_unlock(&p->lock);
    kl_arena_done(&arena);
    return status;
}

void kl_peers_text(struct kl_peers *p, struct kl_buf *out)
{
    kl_lock(&p->lock);
    kl_book_put(p->book, p->own_seq, out);
    kl_unlock(&p->lock);
}

kl_status kl_peers_save(struct kl_fs *fs, kl_span text)
{
    return kl_fs_replace(fs, FILE_NAME, NEW_NAME, text);
}

/* --- life --- */

void kl_peers_begin(struct kl_peers *p, u16 port)
{
    kl_lock(&p->lock);
    p->begun = true;
    p->port = port;
    befriend_all(p);
    say_where(p);
    keep_wanted(p);
    kl_unlock(&p->lock);
}

kl_status kl_peers_new(struct kl_peers **out, const kl_peers_config *config)
{
    struct kl_peers *p = calloc(1, sizeof *p);
    if (!p)
        return KL_NOMEM;
    p->addresses = (struct kl_net_addresses){.of = where, .tried = tried, .admits = admits};
    p->roster = *config->roster;
    p->identity = *config->identity;
    p->self = kl_peer_id_of(&p->identity);
    p->domain = *config->domain;
    p->scheme = config->scheme;
    if (config->vote_secret && p->scheme->public_key(p->key, config->vote_secret)) {
        p->vote_secret = *config->vote_secret;
        p->has_vote = true;
    }
    p->clock = config->clock;
    p->wire = config->wire;
    p->reach = reach_of(&p->roster);
    p->announce_ns = NEVER;
    kl_mutex_init(&p->lock);
    kl_buf_init(&p->own, KL_HERALD_MAX);
    const kl_book_config book = {
        .self = p->self,
        .seed = config->seed,
        .outbound = p->roster.open ? KL_BOOK_OUTBOUND : 0,
        .closed = !p->roster.open,
        .reach = p->reach,
    };
    void *room = malloc(kl_book_footprint());
    if (room)
        p->book = kl_book_init(room, &book);
    kl_status status = room ? kl_herald_new(&p->herald, &p->domain) : KL_NOMEM;
    if (status != KL_OK) {
        kl_peers_free(p);
        return status;
    }
    *out = p;
    return KL_OK;
}

void kl_peers_free(struct kl_peers *p)
{
    if (!p)
        return;
    kl_herald_free(p->herald);
    kl_buf_done(&p->own);
    free(p->book);
    kl_mutex_done(&p->lock);
    kl_secret32_wipe(&p->identity);
    kl_secret32_wipe(&p->vote_secret);
    free(p);
}
