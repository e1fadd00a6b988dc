#include "cli/verify_report.h"

#include "codec/hex.h"

typedef unsigned long long ull;

static double seconds(u64 ns)
{
    return (double)ns / 1e9;
}

static void hash_text(char out[67], const kl_hash *hash)
{
    memcpy(out, "0x", 2);
    kl_hex_digits(out + 2, kl_hash_span(hash));
    out[66] = '\0';
}

static void print_head(FILE *out, const kl_header *head, const kl_hash *hash)
{
    char text[67], root[67];
    hash_text(text, hash);
    hash_text(root, &head->state_root);
    fprintf(out, "head: block %llu, %s\nstate root: %s\n", (ull)head->number, text, root);
}

static void print_bad(FILE *out, const char *dir, const kl_verify_result *r)
{
    fprintf(out, "bad: block %llu (record %llu): %s\nat: %s/%s, byte %llu\n", (ull)r->bad_block,
            (ull)r->bad_version, r->damage ? r->damage : kl_rule_text(r->rule), dir, r->file,
            (ull)r->offset);
}

void kl_verify_print(FILE *out, const char *dir, const kl_verify_result *r, u64 took_ns)
{
    fprintf(out, "executed: %llu records, %llu blocks, %llu transactions, %llu gas in %.1f s\n",
            (ull)r->versions, (ull)r->blocks, (ull)r->transactions, (ull)r->gas, seconds(took_ns));
    if (r->first_version)
        fprintf(
            out,
            "from: the checkpoint of record %llu; the %llu records up to it were judged without\n"
            "      being executed, those before them are gone\n",
            (ull)r->first_version - 1, (ull)r->unexecuted);
    if (r->versions)
        print_head(out, &r->head, &r->head_hash);
    if (r->tear.cut_bytes)
        fprintf(
            out,
            "tear: %s/%s, byte %llu: %llu bytes of writes that a power cut or a kill left\n"
            "      unfinished; no block in them was acknowledged; the next start cuts them off\n",
            dir, r->tear.file, (ull)r->tear.offset, (ull)r->tear.cut_bytes);
    if (!r->good)
        print_bad(out, dir, r);
    fprintf(out, "%s\n", r->good ? "the ledger is good" : "the ledger is BAD");
}

static void json_head(FILE *out, const kl_header *head, const kl_hash *hash)
{
    char text[67], root[67];
    hash_text(text, hash);
    hash_text(root, &head->state_root);
    fprintf(out, "\"head\":{\"number\":%llu,\"hash\":\"%s\",\"stateRoot\":\"%s\"}",
            (ull)head->number, text, root);
}

void kl_verify_print_json(FILE *out, const kl_verify_result *r, u64 took_ns)
{
    fprintf(
        out,
        "{\"good\":%s,\"firstRecord\":%llu,\"unexecuted\":%llu,\"records\":%llu,\"blocks\":%llu,"
        "\"transactions\":%llu,\"gas\":%llu,\"seconds\":%.3f,",
        r->good ? "true" : "false", (ull)r->first_version, (ull)r->unexecuted, (ull)r->versions,
        (ull)r->blocks, (ull)r->transactions, (ull)r->gas, seconds(took_ns));
    json_head(out, &r->head, &r->head_hash);
    if (r->tear.cut_bytes)
        fprintf(out, ",\"tear\":{\"file\":\"%s\",\"offset\":%llu,\"bytes\":%llu}", r->tear.file,
                (ull)r->tear.offset, (ull)r->tear.cut_bytes);
    if (!r->good)
        fprintf(out,
                ",\"bad\":{\"record\":%llu,\"block\":%llu,\"file\":\"%s\",\"offset\":%llu,"
                "\"rule\":\"%s\",\"reason\":\"%s\"}",
                (ull)r->bad_version, (ull)r->bad_block, r->file, (ull)r->offset,
                r->damage ? "" : kl_rule_name(r->rule),
                r->damage ? r->damage : kl_rule_text(r->rule));
    fprintf(out, "}\n");
}

static const char *key_text(char out[2 * KL_KV_KEY_MAX + 3], const kl_state_damage *damage)
{
    memcpy(out, "0x", 2);
    kl_hex_digits(out + 2, kl_span_of(damage->key, damage->key_len));
    out[2 + 2 * damage->key_len] = '\0';
    return out;
}

void kl_scrub_print(FILE *out, const kl_scrub_result *r, u64 took_ns)
{
    char key[2 * KL_KV_KEY_MAX + 3];
    fprintf(out, "read: %llu entries of version %llu in %.1f s\n", (ull)r->entries, (ull)r->version,
            seconds(took_ns));
    if (r->good)
        print_head(out, &r->head, &r->head_hash);
    else
        fprintf(out, "bad: table %s, key %s: %s\n", kl_state_table_names[r->damage.table],
                key_text(key, &r->damage), r->damage.what);
    fprintf(out, "%s\n",
            r->good
                ? "the state database is good"
                : "the state database is BAD; remove its folder, state, and the next start makes "
                  "it again from the ledger");
}

void kl_scrub_print_json(FILE *out, const kl_scrub_result *r, u64 took_ns)
{
    char key[2 * KL_KV_KEY_MAX + 3];
    fprintf(out, "{\"good\":%s,\"entries\":%llu,\"version\":%llu,\"seconds\":%.3f,",
            r->good ? "true" : "false", (ull)r->entries, (ull)r->version, seconds(took_ns));
    if (r->good)
        json_head(out, &r->head, &r->head_hash);
    else
        fprintf(out, "\"bad\":{\"table\":\"%s\",\"key\":\"%s\",\"reason\":\"%s\"}",
                kl_state_table_names[r->damage.table], key_text(key, &r->damage), r->damage.what);
    fprintf(out, "}\n");
}
