/* The check and the cursor share the readers of single items, so that what one accepts the other
 * understands in the same way. */
#include "p2p/gossip_rpc.h"

#include "codec/protobuf.h"

enum {
    RPC_SUBSCRIPTION = 1,
    RPC_MESSAGE = 2,
    RPC_CONTROL = 3,

    SUBSCRIPTION_ON = 1,
    SUBSCRIPTION_TOPIC = 2,

    MESSAGE_FROM = 1,
    MESSAGE_DATA = 2,
    MESSAGE_SEQNO = 3,
    MESSAGE_TOPIC = 4,
    MESSAGE_SIGNATURE = 5,
    MESSAGE_KEY = 6,

    CONTROL_IHAVE = 1,
    CONTROL_IWANT = 2,
    CONTROL_GRAFT = 3,
    CONTROL_PRUNE = 4,
    CONTROL_IDONTWANT = 5,

    CONTROL_TOPIC = 1, /* of IHAVE, GRAFT, PRUNE */
    HAVE_ID = 2,
    WANT_ID = 1, /* and IDONTWANT */
    PRUNE_PEER = 2,
    PRUNE_BACKOFF = 3,

    PX_ID = 1,
    PX_RECORD = 2,
};

static kl_rule set_topic(kl_gossip_item *item, const kl_pb_field *field)
{
    if (field->wire != KL_PB_BYTES)
        return KL_RULE_GOSSIP_FORM;
    if (field->bytes.len > KL_GOSSIP_TOPIC_MAX)
        return KL_RULE_GOSSIP_COUNT;
    item->topic = field->bytes;
    return KL_RULE_NONE;
}

static kl_rule read_subscription(kl_gossip_item *item, kl_span bytes)
{
    item->kind = KL_GOSSIP_UNSUBSCRIBE;
    while (bytes.len) {
        kl_pb_field field;
        KL_JUDGE(kl_pb_next(&bytes, &field));
        if (field.number == SUBSCRIPTION_TOPIC)
            KL_JUDGE(set_topic(item, &field));
        if (field.number != SUBSCRIPTION_ON)
            continue;
        if (field.wire != KL_PB_VARINT)
            return KL_RULE_GOSSIP_FORM;
        item->kind = field.value ? KL_GOSSIP_SUBSCRIBE : KL_GOSSIP_UNSUBSCRIBE;
    }
    return KL_RULE_NONE;
}

static kl_rule read_message(kl_gossip_item *item, kl_span bytes)
{
    item->kind = KL_GOSSIP_MESSAGE;
    while (bytes.len) {
        kl_pb_field field;
        KL_JUDGE(kl_pb_next(&bytes, &field));
        if (field.number < MESSAGE_FROM || field.number > MESSAGE_KEY)
            continue;
        if (field.wire != KL_PB_BYTES)
            return KL_RULE_GOSSIP_FORM;
        if (field.number == MESSAGE_DATA)
            item->data = field.bytes;
        else if (field.number == MESSAGE_TOPIC)
            KL_JUDGE(set_topic(item, &field));
        else
            item->is_signed = true;
    }
    return KL_RULE_NONE;
}

static kl_rule read_control(kl_gossip_item *item, const kl_pb_field *control)
{
    static const kl_gossip_kind kinds[] = {KL_GOSSIP_IHAVE, KL_GOSSIP_IWANT, KL_GOSSIP_GRAFT,
                                           KL_GOSSIP_PRUNE, KL_GOSSIP_IDONTWANT};
    static const u32 lists[] = {HAVE_ID, WANT_ID, 0, PRUNE_PEER, WANT_ID};
    kl_span bytes = control->bytes;
    item->kind = kinds[control->number - CONTROL_IHAVE];
    item->list = (kl_gossip_list){bytes, lists[control->number - CONTROL_IHAVE]};
    while (bytes.len) {
        kl_pb_field field;
        KL_JUDGE(kl_pb_next(&bytes, &field));
        if (field.number == item->list.number) {
            if (field.wire != KL_PB_BYTES)
                return KL_RULE_GOSSIP_FORM;
        } else if (field.number == CONTROL_TOPIC) {
            KL_JUDGE(set_topic(item, &field));
        } else if (field.number == PRUNE_BACKOFF && item->kind == KL_GOSSIP_PRUNE) {
            if (field.wire != KL_PB_VARINT)
                return KL_RULE_GOSSIP_FORM;
            item->has_backoff = true;
            item->backoff_s = field.value;
        }
    }
    return KL_RULE_NONE;
}

static bool is_control(u32 number)
{
    return number >= CONTROL_IHAVE && number <= CONTROL_IDONTWANT;
}

static kl_rule read_px(kl_gossip_px *out, kl_span bytes)
{
    *out = (kl_gossip_px){0};
    while (bytes.len) {
        kl_pb_field field;
        KL_JUDGE(kl_pb_next(&bytes, &field));
        if (field.number != PX_ID && field.number != PX_RECORD)
            continue;
        if (field.wire != KL_PB_BYTES)
            return KL_RULE_GOSSIP_FORM;
        if (field.number == PX_ID)
            out->has_peer = kl_peer_id_get(&out->peer, field.bytes) == KL_RULE_NONE;
        else
            out->record = field.bytes;
    }
    return KL_RULE_NONE;
}

struct counts {
    usize subscriptions, messages, controls, ids[KL_GOSSIP_IDONTWANT + 1];
};

/* What a list holds; only its fields' heads have been looked at so far. */
static kl_rule check_list(struct counts *counts, const kl_gossip_item *item)
{
    kl_span rest = item->list.rest;
    usize peers = 0;
    while (rest.len) {
        kl_pb_field field;
        KL_JUDGE(kl_pb_next(&rest, &field));
        if (field.number != item->list.number)
            continue;
        if (item->kind == KL_GOSSIP_PRUNE) {
            kl_gossip_px px;
            if (peers++ == KL_GOSSIP_PX_MAX)
                return KL_RULE_GOSSIP_COUNT;
            KL_JUDGE(read_px(&px, field.bytes));
        } else if (counts->ids[item->kind]++ == KL_GOSSIP_IDS_MAX) {
            return KL_RULE_GOSSIP_COUNT;
        }
    }
    return KL_RULE_NONE;
}

static kl_rule check_control(struct counts *counts, kl_span bytes)
{
    while (bytes.len) {
        kl_pb_field field;
        kl_gossip_item item = {0};
        KL_JUDGE(kl_pb_next(&bytes, &field));
        if (!is_control(field.number))
            continue;
        if (field.wire != KL_PB_BYTES)
            return KL_RULE_GOSSIP_FORM;
        if (counts->controls++ == KL_GOSSIP_CONTROLS_MAX)
            return KL_RULE_GOSSIP_COUNT;
        KL_JUDGE(read_control(&item, &field));
        KL_JUDGE(check_list(counts, &item));
    }
    return KL_RULE_NONE;
}

kl_rule kl_gossip_rpc_check(kl_span rpc)
{
    struct counts counts = {0};
    if (rpc.len > KL_GOSSIP_RPC_MAX)
        return KL_RULE_GOSSIP_COUNT;
    while (rpc.len) {
        kl_pb_field field;
        kl_gossip_item item = {0};
        KL_JUDGE(kl_pb_next(&rpc, &field));
        if (field.number > RPC_CONTROL)
            continue;
        if (field.wire != KL_PB_BYTES)
            return KL_RULE_GOSSIP_FORM;
        if (field.number == RPC_SUBSCRIPTION) {
            if (counts.subscriptions++ == KL_GOSSIP_SUBSCRIPTIONS_MAX)
                return KL_RULE_GOSSIP_COUNT;
            KL_JUDGE(read_subscription(&item, field.bytes));
        } else if (field.number == RPC_MESSAGE) {
            if (counts.messages++ == KL_GOSSIP_MESSAGES_MAX)
                return KL_RULE_GOSSIP_COUNT;
            KL_JUDGE(read_message(&item, field.bytes));
        } else {
            KL_JUDGE(check_control(&counts, field.bytes));
        }
    }
    return KL_RULE_NONE;
}

bool kl_gossip_next(kl_gossip_cursor *cursor, kl_gossip_item *item)
{
    kl_pb_field field;
    while (cursor->control.len || cursor->rpc.len) {
        kl_rule rule = KL_RULE_NONE;
        *item = (kl_gossip_item){0};
        if (cursor->control.len) {
            KL_ASSERT(kl_pb_next(&cursor->control, &field) == KL_RULE_NONE);
            if (!is_control(field.number))
                continue;
            rule = read_control(item, &field);
        } else {
            KL_ASSERT(kl_pb_next(&cursor->rpc, &field) == KL_RULE_NONE);
            if (field.number == RPC_CONTROL)
                cursor->control = field.bytes;
            if (field.number >= RPC_CONTROL)
                continue;
            rule = field.number == RPC_MESSAGE ? read_message(item, field.bytes)
                                               : read_subscription(item, field.bytes);
        }
        KL_ASSERT(rule == KL_RULE_NONE);
        return true;
    }
    return false;
}

static bool next_in(kl_gossip_list *list, kl_span *bytes)
{
    while (list->rest.len) {
        kl_pb_field field;
        KL_ASSERT(kl_pb_next(&list->rest, &field) == KL_RULE_NONE);
        if (field.number == list->number) {
            *bytes = field.bytes;
            return true;
        }
    }
    return false;
}

bool kl_gossip_next_id(kl_gossip_list *list, const u8 **id)
{
    kl_span bytes;
    while (next_in(list, &bytes))
        if (bytes.len == KL_GOSSIP_ID_LEN) {
            *id = bytes.p;
            return true;
        }
    return false;
}

bool kl_gossip_next_px(kl_gossip_list *list, kl_gossip_px *px)
{
    kl_span bytes;
    if (!next_in(list, &bytes))
        return false;
    KL_ASSERT(read_px(px, bytes) == KL_RULE_NONE);
    return true;
}
