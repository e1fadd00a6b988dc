/* world: virtual time, network, lanes and machines of one run.
 *
 *   world.c    the heap of what is to come, dice, trace        net.c      frames on their way
 *   machine.c  disks, database, replica: life and death        lanes.c    jobs over virtual time
 *   statedb.c  a database whose newest commit may vanish       weather.c  what goes wrong, and when
 *   work.c     users and their transactions                    story.c    what happened last
 *   oracle.c   what must never happen                          attack.c   what the faulty do
 *   wire.c     instead of frames on their way: p2p             pipe.c     over byte streams
 *
 * Everything that is drawn is drawn from one generator, and nothing depends on an address: the same
 * options give the same run.  Every event goes into the trace. */
#ifndef KL_LAB_WORLD_PRIV_H
#define KL_LAB_WORLD_PRIV_H

#include "base/rand.h"
#include "host/filler.h"
#include "lab/lab.h"
#include "lab/statedb_priv.h"
#include "sim/disk.h"

#define KL_MS 1000000ull
#define KL_S  1000000000ull

enum {
    KL_LAB_CHAIN_ID = 7777,
    KL_LAB_MACHINES_MAX = 32,
    KL_LAB_VALIDATORS_MAX = 24,
};

struct kl_lab;
struct kl_lab_machine;
struct kl_lab_oracle;
struct kl_lab_work;
struct kl_lab_wire;
struct kl_lab_plug;

typedef enum kl_lab_happening {
    KL_LAB_FRAME,      /* frame arrives at machine from peer */
    KL_LAB_TICK,       /* the replica asked to be called */
    KL_LAB_JOB_BEGINS, /* lane */
    KL_LAB_JOB_ENDS,   /* lane */
    KL_LAB_LINK,       /* the machine learns whether it can speak to peer */
    KL_LAB_STARTS,     /* a machine that was down */
    KL_LAB_WEATHER,
    KL_LAB_USERS,
    KL_LAB_WIRE, /* lane: what, see wire_priv.h */
    KL_LAB_PIPE, /* peer, life: which one; lane: what */
} kl_lab_happening;

/* A frame, shared by all who get it. */
struct kl_lab_frame {
    u32 refs;
    kl_message_kind kind;
    u64 hash;
    usize len;
    u8 bytes[];
};

typedef struct kl_lab_event {
    u64 at_ns, order;
    kl_lab_happening kind;
    u32 machine, peer;
    u32 life; /* of the machine: what was meant for an earlier one is lost */
    u32 lane;
    bool gossiped; /* the frame was published, and may be passed on */
    struct kl_lab_frame *frame;
} kl_lab_event;

/* What a Byzantine validator does; see attack.c. */
#define KL_LAB_ATTACKS(X)                                                                 \
    X(NONE, "honest")                                                                     \
    X(TWIN, "twin")               /* two machines with one key */                         \
    X(SILENT, "silent")           /* hears everything and says nothing */                 \
    X(WITHHOLD, "withholding")    /* proposes to some, and gives the body to nobody */    \
    X(EQUIVOCATE, "equivocating") /* two blocks in a view, and votes both ways */         \
    X(OLD_PARENT, "old-parent")   /* builds on a block that others have built on */       \
    X(LATE, "late")               /* everything it says comes 2 delta later, or almost */ \
    X(SELECTIVE, "selective")     /* speaks to every other one */                         \
    X(GARBAGE, "garbage")         /* votes and certificates whose signatures are none */  \
    X(LYING, "lying")             /* answers who are behind with blocks that are not final */
typedef enum kl_lab_attack {
#define KL_LAB_ATTACK_X(NAME, text) KL_LAB_IS_##NAME,
    KL_LAB_ATTACKS(KL_LAB_ATTACK_X)
#undef KL_LAB_ATTACK_X
        KL_LAB_ATTACK_COUNT,
} kl_lab_attack;
const char *kl_lab_attack_name(kl_lab_attack attack);

struct kl_lab_lane {
    struct kl_job *first, *last;
    bool busy;                           /* the first has begun */
    u64 data_operations, key_operations; /* of the disks, behind its run */
};

/* base's and host's interfaces, each with the machine behind it. */
struct kl_lab_clock {
    struct kl_clock base;
    struct kl_lab_machine *machine;
};
struct kl_lab_jobs {
    struct kl_jobs base;
    struct kl_lab_machine *machine;
};
struct kl_lab_net {
    struct kl_replica_net base;
    struct kl_lab_machine *machine;
};
struct kl_lab_watch {
    struct kl_replica_watch base;
    struct kl_lab_machine *machine;
};

enum { KL_LAB_STORY = 48, KL_LAB_PASSED = 64 };

/* One line of what a machine lived through. */
typedef struct kl_lab_line {
    u64 at_ns;
    const char *what; /* static text, with three numbers in it */
    u64 a, b, c;
} kl_lab_line;

struct kl_lab_machine {
    struct kl_lab *lab;
    u32 index;
    u32 validator; /* whose key it has, KL_BFT_NOBODY: none */
    kl_lab_attack attack;
    struct kl_sim_disk *data, *key;
    struct kl_lab_statedb *state;
    struct kl_replica *replica; /* or */
    struct kl_filler *filler;   /* while it takes the others' state; both NULL: it is down */
    bool far;                   /* it is to be filled */
    bool given_up;              /* nobody helped: not again in this life */
    u32 life;
    bool dead;                 /* its replica is being wound up: whatever it does is not seen */
    bool broken;               /* a disk fails, until somebody mends it */
    bool barred;               /* its key seems used, until somebody says that it is not */
    bool abandoned;            /* not of the core: it stays down */
    bool harmed;               /* somebody damaged its disk: what it then finds is no surprise */
    bool forgot;               /* its data is gone, or old */
    bool restored;             /* whoever starts it says that something came from a copy */
    u64 paused_ns;             /* until when it stands still */
    u64 tick_ns;               /* at which a tick is in the heap; UINT64_MAX: none */
    u64 newest_tick_ns, ticks; /* ticks at that moment */
    i64 skew_ns;
    u64 epoch, view;               /* as last seen */
    u64 acknowledged;              /* height that it has shown as final */
    u64 durable_data, durable_key; /* operations of disks that ended jobs rest on */
    u64 settled_data, settled_key;
    bool linked[KL_LAB_MACHINES_MAX]; /* as it was told */
    bool cut[KL_LAB_MACHINES_MAX];    /* what it sends there is lost */
    u64 clog_ns[KL_LAB_MACHINES_MAX]; /* until when nothing arrives there */
    struct kl_sim_disk *backup[2];    /* of data and key, an old copy; or NULL */
    bool backup_harmed, lost_data;    /* since the copy was made */
    struct kl_lab_lane lane[KL_LANES];
    struct kl_lab_clock clock;
    struct kl_lab_jobs jobs;
    struct kl_lab_net net;
    struct kl_lab_watch watch;
    kl_lab_line story[KL_LAB_STORY];
    u64 story_count;
    struct kl_lab_frame *passed[KL_LAB_PASSED]; /* gossip that a verdict is awaited on */
    u32 passed_from[KL_LAB_PASSED];
    u64 passed_count;
    kl_replica_compacts compacts; /* as last seen */
    struct kl_lab_plug *plug;     /* while it is up, with a wire */
};

/* How a seed's run is; see swarm.c. */
typedef struct kl_lab_plan {
    u32 validators, faulty, observers;
    u32 keys; /* validators, and those who may become some */
    u8 scheme;
    u32 faults; /* bits, those that the seed took */
    u64 views;  /* entered before the weather ends */
    u32 loss_percent, duplicate_percent;
    u64 delay_ns, tail_ns;
    u64 weights[KL_LAB_VALIDATORS_MAX];
    kl_lab_attack attacks[KL_LAB_VALIDATORS_MAX];
    bool victim[KL_LAB_VALIDATORS_MAX]; /* honest, and within F: its disk may be harmed */
    u64 epoch_blocks, period_ms, empty_ms, delta_ms;
    u32 window;
    usize compact_bytes; /* bodies from so many bytes on go by hashes */
    u32 transactions;    /* a hundred times what users send each time */
    bool too_many;       /* more than F are faulty, on purpose */
} kl_lab_plan;

/* A script instead of weather: what it does not say does not happen.  Either may be NULL. */
struct kl_lab_script {
    bool (*passes)(struct kl_lab *lab, u32 from, u32 to, const struct kl_lab_frame *frame);
    void (*signs)(struct kl_lab_machine *machine, const kl_vote *vote);
};

/* What operators are about, see govern.c. */
struct kl_lab_govern {
    enum { KL_LAB_IDLE, KL_LAB_PROPOSED, KL_LAB_VOTED, KL_LAB_READY } phase;
    u32 members; /* of the contract's list, a bit a validator */
    u32 proposer, target;
    bool adds;
    u64 proposals; /* made */
};

struct kl_lab {
    kl_lab_options options;
    kl_lab_plan plan;
    const struct kl_lab_script *script; /* NULL: what happens is drawn */
    kl_lab_result *result;
    u64 dice;
    u64 now_ns, order;
    kl_lab_event *heap;
    usize heap_count, heap_cap;
    struct kl_lab_machine *machines[KL_LAB_MACHINES_MAX];
    u32 count;
    bool calm;   /* the weather is over: what follows must be live */
    u64 calm_ns; /* since when */
    u64 views;   /* that were the newest of all when an honest machine entered them */
    u64 newest_epoch, newest_view;
    kl_secret32 secrets[KL_LAB_VALIDATORS_MAX];
    struct kl_buf genesis;
    struct kl_code_cache *codes;
    struct kl_senders *senders;
    kl_hash genesis_hash;
    const kl_vote_scheme *scheme;
    struct kl_lab_oracle *oracle;
    struct kl_lab_work *work;
    struct kl_lab_attacker *attacker;
    struct kl_lab_wire *wire; /* NULL: frames travel by themselves */
    struct kl_lab_govern govern;
    u32 restored;        /* validators whose data and key came back from an old copy, a bit each */
    bool over;           /* the run has reached its end */
    bool probed;         /* in calm weather: transactions were sent to the core */
    u64 calm_height;     /* that all of the core must reach */
    u64 calm_missing;    /* blocks that one of the core lacked when the weather ended */
    u64 newest_final_ns; /* when the highest final block was */
};

/* --- lab.c --- */
/* A world whose machines have started, the next thing that happens in it, and its end: with a
 * failure the stories are told.  script outlives it, or is NULL. */
struct kl_lab *kl_lab_open(const kl_lab_options *options, const kl_lab_plan *plan,
                           const struct kl_lab_script *script, kl_lab_result *result);
bool kl_lab_step(struct kl_lab *lab); /* false: it is over */
void kl_lab_close(struct kl_lab *lab);

/* --- world.c --- */
u64 kl_lab_below(struct kl_lab *lab, u64 n);
bool kl_lab_percent(struct kl_lab *lab, u32 percent);
bool kl_lab_has(const struct kl_lab *lab, kl_lab_fault fault); /* the seed took it */
void kl_lab_trace(struct kl_lab *lab, u64 word);
u64 kl_lab_hash(const void *bytes, usize len);
/* *event is copied. */
void kl_lab_post(struct kl_lab *lab, const kl_lab_event *event, u64 at_ns);
/* The next event, whose time becomes the present; false when there is none. */
bool kl_lab_next(struct kl_lab *lab, kl_lab_event *out);
void kl_lab_drop_all(struct kl_lab *lab);
/* Zeroed memory; its exhaustion ends the process. */
void *kl_lab_memory(usize bytes);

/* An assertion does not hold: the first one is kept, and the run ends. */
void kl_lab_break(struct kl_lab *lab, u32 assertion, const char *format, ...) KL_PRINTF(3, 4);

/* --- story.c --- */
void kl_lab_tell(struct kl_lab_machine *machine, const char *what, u64 a, u64 b, u64 c);
void kl_lab_stories(const struct kl_lab *lab); /* the last lines of all, on standard error */

/* --- net.c --- */
/* As the replica's network interface. */
void kl_lab_net_send(struct kl_replica_net *net, u32 peer, kl_message_kind kind, kl_span frame);
void kl_lab_net_publish(struct kl_replica_net *net, kl_span frame);
void kl_lab_net_verdict(struct kl_replica_net *net, const u8 id[KL_REPLICA_GOSSIP_ID_LEN],
                        kl_replica_verdict verdict);
/* A published frame arrives. */
void kl_lab_gossip(struct kl_lab_machine *machine, u32 peer, struct kl_lab_frame *frame);
void kl_lab_gossip_forget(struct kl_lab_machine *machine);
struct kl_lab_frame *kl_lab_frame_new(kl_message_kind kind, kl_span bytes);
void kl_lab_frame_unref(struct kl_lab_frame *frame); /* NULL is fine */
/* From one to another through the weather, extra_ns later than otherwise. */
void kl_lab_carry(struct kl_lab_machine *from, u32 to, struct kl_lab_frame *frame, u64 extra_ns);
/* Tells machines whom they can speak to from here on, where that has changed. */
void kl_lab_relink(struct kl_lab *lab);
/* The machine hears whether it can speak to peer. */
void kl_lab_link(struct kl_lab_machine *machine, u32 peer);
void kl_lab_link_is(struct kl_lab_machine *machine, u32 peer, bool can);

/* --- lanes.c --- */
void kl_lab_give(struct kl_jobs *jobs, kl_lane lane, struct kl_job *job);
void kl_lab_job_begins(struct kl_lab_machine *machine, kl_lane lane);
void kl_lab_job_ends(struct kl_lab_machine *machine, kl_lane lane);
/* Runs everything to its end, at once. */
void kl_lab_drain(struct kl_lab_machine *machine);

/* --- machine.c --- */
struct kl_lab_machine *kl_lab_machine_new(struct kl_lab *lab, u32 validator, kl_lab_attack attack);
void kl_lab_machine_free(struct kl_lab_machine *machine);
void kl_lab_start(struct kl_lab_machine *machine);
typedef enum kl_lab_death {
    KL_LAB_KILLED,    /* kill -9: what was written survives */
    KL_LAB_POWER_CUT, /* of what was not synced all, some or nothing survives */
} kl_lab_death;
void kl_lab_crash(struct kl_lab_machine *machine, kl_lab_death death);
/* At this moment, behind everything that its jobs have done; the newest commit of its state
 * database is there. */
void kl_lab_crash_now(struct kl_lab_machine *machine, kl_power_cut how);
/* Of a machine that is down: the data folder is lost; something comes back from an old copy. */
void kl_lab_wipe(struct kl_lab_machine *machine);
void kl_lab_save(struct kl_lab_machine *machine);
typedef enum kl_lab_copy { KL_LAB_COPY_DATA, KL_LAB_COPY_KEY, KL_LAB_COPY_BOTH } kl_lab_copy;
void kl_lab_restore(struct kl_lab_machine *machine, kl_lab_copy what);
/* Does what an event says. */
void kl_lab_happen(struct kl_lab *lab, const kl_lab_event *event);
/* A frame of peer's has come; that was for it alone. */
void kl_lab_hears(struct kl_lab_machine *machine, u32 peer, const struct kl_lab_frame *frame);
void kl_lab_arrive(struct kl_lab_machine *machine, u32 peer, const struct kl_lab_frame *frame);
/* Something was done with its replica outside of an event. */
void kl_lab_moved(struct kl_lab_machine *machine);
bool kl_lab_is_honest(const struct kl_lab_machine *machine);
bool kl_lab_is_up(const struct kl_lab_machine *machine);

/* --- swarm.c, weather.c --- */
void kl_lab_plan_make(kl_lab_plan *out, const kl_lab_options *options);
void kl_lab_weather(struct kl_lab *lab);
void kl_lab_calm_down(struct kl_lab *lab);

/* --- live.c --- */
/* In calm weather, behind every event: ends the run when all is well, or breaks it in time. */
void kl_lab_live(struct kl_lab *lab);
/* The ledger of a machine executes again, from its genesis; of one in four runs, one's. */
void kl_lab_verify_machine(struct kl_lab_machine *machine);
void kl_lab_verify(struct kl_lab *lab);

#endif
