#include "p2p/identify.h"

#include "codec/protobuf.h"

enum {
    PUBLIC_KEY = 1,
    LISTEN_ADDRESS = 2,
    PROTOCOL = 3,
    OBSERVED_ADDRESS = 4,
    PROTOCOL_VERSION = 5,
    AGENT_VERSION = 6,
    SIGNED_RECORD = 8,
};

static void put_addr(kl_out *out, u32 number, const kl_multiaddr *addr)
{
    kl_pb_put_head(out, number, kl_multiaddr_len(addr));
    kl_multiaddr_put(out, addr);
}

static void put_text(kl_out *out, u32 number, kl_span text)
{
    if (text.len)
        kl_pb_put_bytes(out, number, text);
}

static void put_message(kl_out *out, const kl_identify *identify)
{
    if (identify->has_key) {
        kl_pb_put_head(out, PUBLIC_KEY, KL_PEER_KEY_LEN);
        kl_peer_key_put(out, &identify->key);
    }
    for (usize i = 0; i < identify->addr_count; i++)
        put_addr(out, LISTEN_ADDRESS, &identify->addrs[i]);
    for (usize i = 0; i < identify->protocol_count; i++)
        kl_pb_put_bytes(out, PROTOCOL, identify->protocols[i]);
    if (identify->has_observed)
        put_addr(out, OBSERVED_ADDRESS, &identify->observed);
    put_text(out, PROTOCOL_VERSION, identify->protocol_version);
    put_text(out, AGENT_VERSION, identify->agent_version);
    put_text(out, SIGNED_RECORD, identify->record);
}

void kl_identify_put(kl_out *out, const kl_identify *identify)
{
    KL_ASSERT(identify->addr_count <= KL_IDENTIFY_ADDRS_MAX);
    KL_ASSERT(identify->protocol_count <= KL_IDENTIFY_PROTOCOLS_MAX);
    kl_out counter = kl_out_counter();
    put_message(&counter, identify);
    kl_varint_put(out, counter.len);
    put_message(out, identify);
}

static kl_rule hear_field(kl_identify *to, const kl_pb_field *field)
{
    switch (field->number) {
    case PUBLIC_KEY:
        to->has_key |= kl_peer_key(&to->key, field->bytes) == KL_RULE_NONE;
        break;
    case LISTEN_ADDRESS:
        if (to->addr_count < KL_IDENTIFY_ADDRS_MAX &&
            kl_multiaddr_get(&to->addrs[to->addr_count], field->bytes) == KL_RULE_NONE)
            to->addr_count++;
        break;
    case PROTOCOL:
        if (to->protocol_count == KL_IDENTIFY_PROTOCOLS_MAX)
            return KL_RULE_IDENTIFY_COUNT;
        to->protocols[to->protocol_count++] = field->bytes;
        break;
    case OBSERVED_ADDRESS:
        to->has_observed |= kl_multiaddr_get(&to->observed, field->bytes) == KL_RULE_NONE;
        break;
    case PROTOCOL_VERSION:
        to->protocol_version = field->bytes;
        break;
    case AGENT_VERSION:
        to->agent_version = field->bytes;
        break;
    case SIGNED_RECORD:
        to->record = field->bytes;
        break;
    }
    return KL_RULE_NONE;
}

static bool is_known(u32 number)
{
    return (number >= PUBLIC_KEY && number <= AGENT_VERSION) || number == SIGNED_RECORD;
}

static kl_rule hear_message(kl_identify *to, kl_span message)
{
    while (message.len) {
        kl_pb_field field;
        KL_JUDGE(kl_pb_next(&message, &field));
        if (!is_known(field.number))
            continue;
        if (field.wire != KL_PB_BYTES)
            return KL_RULE_IDENTIFY_FORM;
        KL_JUDGE(hear_field(to, &field));
    }
    return KL_RULE_NONE;
}

kl_rule kl_identify_get(kl_identify *out, kl_span stream)
{
    kl_identify heard = {0};
    if (stream.len > KL_IDENTIFY_MAX)
        return KL_RULE_IDENTIFY_LONG;
    if (stream.len == 0)
        return KL_RULE_IDENTIFY_FORM;
    while (stream.len) {
        u64 len;
        KL_JUDGE(kl_varint(&stream, &len));
        if (len > stream.len)
            return KL_RULE_IDENTIFY_FORM;
        KL_JUDGE(hear_message(&heard, kl_span_sub(stream, 0, (usize)len)));
        stream = kl_span_sub(stream, (usize)len, stream.len - (usize)len);
    }
    *out = heard;
    return KL_RULE_NONE;
}

bool kl_identify_speaks(const kl_identify *identify, kl_span protocol)
{
    for (usize i = 0; i < identify->protocol_count; i++)
        if (kl_span_eq(identify->protocols[i], protocol))
            return true;
    return false;
}
