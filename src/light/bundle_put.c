/* Writing a bundle.  A part lives in the arena only until it is in the text. */
#include "codec/json.h"
#include "light/bundle.h"

typedef kl_status part(struct kl_light_source *source, u64 at, struct kl_arena *arena,
                       kl_span *out);

static kl_status put_part(struct kl_json_out *out, const char *name, part *get,
                          struct kl_light_source *source, u64 at, struct kl_arena *scratch)
{
    kl_arena_mark mark = kl_arena_here(scratch);
    kl_span rlp;
    KL_TRY(get(source, at, scratch, &rlp));
    if (name)
        kl_json_put_key(out, name);
    kl_json_put_data(out, rlp);
    kl_arena_rewind(scratch, mark);
    return out->buf->failed ? KL_NOMEM : KL_OK;
}

static kl_status epoch_of(u64 *out, struct kl_light_source *source, u64 number,
                          struct kl_arena *scratch)
{
    kl_arena_mark mark = kl_arena_here(scratch);
    kl_consensus_header header;
    kl_span rlp;
    KL_TRY(source->consensus_header(source, number, scratch, &rlp));
    if (kl_consensus_header_decode(&header, rlp) != KL_RULE_NONE)
        return KL_CORRUPT;
    kl_arena_rewind(scratch, mark);
    *out = header.epoch;
    return KL_OK;
}

static kl_status is_there(part *get, struct kl_light_source *source, u64 at,
                          struct kl_arena *scratch)
{
    kl_arena_mark mark = kl_arena_here(scratch);
    kl_span rlp;
    kl_status status = get(source, at, scratch, &rlp);
    kl_arena_rewind(scratch, mark);
    return status;
}

/* The first block from number on with a Finalization of its own.  A genesis that nothing stands
 * above is final by itself: *is_signed is false. */
static kl_status find_final(u64 *out, bool *is_signed, struct kl_light_source *source, u64 number,
                            struct kl_arena *scratch)
{
    for (u64 at = number; at - number < KL_LIGHT_HEADERS_MAX; at++) {
        kl_status status = is_there(source->header, source, at, scratch);
        *is_signed = status == KL_OK;
        *out = *is_signed ? at : number;
        if (status == KL_NOTFOUND && number == 0)
            return KL_OK;
        KL_TRY(status);
        status = is_there(source->finalization, source, at, scratch);
        if (status != KL_NOTFOUND)
            return status;
    }
    return KL_LIMIT;
}

static kl_status put_genesis(struct kl_json_out *out, struct kl_light_source *source,
                             struct kl_arena *scratch)
{
    kl_json_put_key(out, "genesis");
    kl_json_put_object(out);
    kl_json_add_hash(out, "hash", &source->genesis_hash);
    KL_TRY(put_part(out, "header", source->header, source, 0, scratch));
    KL_TRY(put_part(out, "consensusHeader", source->consensus_header, source, 0, scratch));
    KL_TRY(put_part(out, "validators", source->validators, source, 0, scratch));
    kl_json_put_object_end(out);
    return KL_OK;
}

static kl_status put_epochs(struct kl_json_out *out, struct kl_light_source *source, u64 from,
                            u64 to, struct kl_arena *scratch)
{
    kl_json_put_key(out, "epochs");
    kl_json_put_array(out);
    for (u64 epoch = from; epoch < to; epoch++) {
        u64 end;
        KL_TRY(source->epoch_end(source, epoch, &end));
        kl_json_put_object(out);
        KL_TRY(put_part(out, "header", source->header, source, end, scratch));
        KL_TRY(put_part(out, "consensusHeader", source->consensus_header, source, end, scratch));
        KL_TRY(put_part(out, "finalization", source->finalization, source, end, scratch));
        KL_TRY(put_part(out, "validators", source->validators, source, epoch + 1, scratch));
        kl_json_put_object_end(out);
    }
    kl_json_put_array_end(out);
    return KL_OK;
}

kl_status kl_light_bundle_put(struct kl_json_out *out, struct kl_light_source *source, u64 number,
                              u64 from_epoch, u64 epochs_max, struct kl_arena *scratch)
{
    u64 final, epoch;
    bool is_signed;
    KL_TRY(find_final(&final, &is_signed, source, number, scratch));
    KL_TRY(epoch_of(&epoch, source, final, scratch));
    if (epoch > from_epoch && epoch - from_epoch > epochs_max)
        return KL_LIMIT;
    kl_json_add_quantity(out, "chainId", source->chain_id);
    if (from_epoch == 0)
        KL_TRY(put_genesis(out, source, scratch));
    KL_TRY(put_epochs(out, source, from_epoch, epoch, scratch));
    kl_json_put_key(out, "headers");
    kl_json_put_array(out);
    for (u64 at = number; at <= final; at++)
        KL_TRY(put_part(out, NULL, source->header, source, at, scratch));
    kl_json_put_array_end(out);
    if (is_signed) {
        KL_TRY(put_part(out, "consensusHeader", source->consensus_header, source, final, scratch));
        KL_TRY(put_part(out, "finalization", source->finalization, source, final, scratch));
    }
    return out->buf->failed ? KL_NOMEM : KL_OK;
}

kl_status kl_light_checkpoint_put(struct kl_json_out *out, const struct kl_light *light,
                                  struct kl_arena *scratch)
{
    kl_arena_mark mark = kl_arena_here(scratch);
    kl_out counter = kl_out_counter();
    kl_valset_encode(&counter, &light->set);
    u8 *room = KL_TAKE(scratch, u8, counter.len);
    if (!room)
        return KL_NOMEM;
    kl_out set = kl_out_of(room, counter.len);
    kl_valset_encode(&set, &light->set);
    kl_json_put_object(out);
    kl_json_add_quantity(out, "chainId", light->domain.chain_id);
    kl_json_add_hash(out, "genesisHash", &light->domain.genesis_hash);
    kl_json_add_quantity(out, "epoch", light->epoch);
    kl_json_add_quantity(out, "number", light->number);
    kl_json_add_hash(out, "hash", &light->hash);
    kl_json_add_data(out, "validators", kl_out_done(&set));
    kl_json_put_object_end(out);
    kl_arena_rewind(scratch, mark);
    return out->buf->failed ? KL_NOMEM : KL_OK;
}
