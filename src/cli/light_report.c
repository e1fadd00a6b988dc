#include "cli/light_report.h"

#include <time.h>

#include "codec/hex.h"
#include "crypto/address.h"

typedef unsigned long long ull;

static void hash_text(char out[67], const kl_hash *hash)
{
    memcpy(out, "0x", 2);
    kl_hex_digits(out + 2, kl_hash_span(hash));
    out[66] = '\0';
}

static void print_hash(FILE *out, const char *name, const kl_hash *hash)
{
    char text[67];
    hash_text(text, hash);
    fprintf(out, "  %-13s %s\n", name, text);
}

static void print_u256(FILE *out, const char *name, kl_u256 value)
{
    char text[KL_HEX_U256_MAX];
    kl_hex_of_u256(text, value);
    fprintf(out, "  %-13s %s\n", name, text);
}

static void print_time(FILE *out, u64 timestamp)
{
    char text[40];
    time_t at = (time_t)timestamp;
    struct tm parts;
    if (gmtime_r(&at, &parts) && strftime(text, sizeof text, "%Y-%m-%d %H:%M:%S UTC", &parts))
        fprintf(out, "  %-13s %s\n", "time", text);
}

static void print_account(FILE *out, const kl_light_account *a, bool exists)
{
    char address[43];
    memcpy(address, "0x", 2);
    kl_hex_digits(address + 2, kl_address_span(&a->address));
    address[42] = '\0';
    fprintf(out, "account %s%s\n", address, exists ? "" : " does not exist");
    if (exists) {
        print_u256(out, "balance", a->claim.balance);
        fprintf(out, "  %-13s %llu\n", "nonce", (ull)a->claim.nonce);
        print_hash(out, "code hash", &a->claim.code_hash);
        print_hash(out, "storage root", &a->claim.storage_root);
    }
    for (usize i = 0; i < a->slot_count; i++) {
        char key[KL_HEX_U256_MAX], value[KL_HEX_U256_MAX];
        kl_hex_of_u256(key, a->slots[i].key);
        kl_hex_of_u256(value, a->slots[i].value);
        fprintf(out, "  slot %s holds %s\n", key, value);
    }
}

void kl_light_print(FILE *out, const struct kl_light *light, const kl_light_bundle *bundle,
                    const kl_light_result *result)
{
    const kl_light_block *b = &result->block;
    fprintf(out, "block %llu is final\n", (ull)b->header.number);
    print_hash(out, "hash", &b->hash);
    print_hash(out, "state root", &b->header.state_root);
    print_time(out, b->header.timestamp);
    if (b->final_number != b->header.number)
        fprintf(out, "  final through block %llu\n", (ull)b->final_number);
    if (b->is_signed)
        fprintf(out,
                "  signed in view %llu of epoch %llu by %u of %u validators, weight %llu of %llu\n",
                (ull)b->view, (ull)light->epoch, b->signers, light->set.count, (ull)b->weight,
                (ull)light->set.weight);
    if (bundle->has_account)
        print_account(out, &bundle->account, result->account_exists);
}

void kl_light_print_line(FILE *out, const char *path, const kl_light_result *result)
{
    char hash[67];
    hash_text(hash, &result->block.hash);
    fprintf(out, "%s: block %llu is final, %s\n", path, (ull)result->block.header.number, hash);
}

static void flush_line(FILE *out, struct kl_buf *text)
{
    if (!text->failed)
        fprintf(out, "%.*s\n", (int)text->len, (const char *)text->p);
    kl_buf_done(text);
}

static void put_account(struct kl_json_out *out, const kl_light_account *a, bool exists)
{
    kl_json_put_key(out, "account");
    kl_json_put_object(out);
    kl_json_add_address(out, "address", &a->address);
    kl_json_add_bool(out, "exists", exists);
    kl_json_add_quantity_u256(out, "balance", a->claim.balance);
    kl_json_add_quantity(out, "nonce", a->claim.nonce);
    kl_json_add_hash(out, "codeHash", &a->claim.code_hash);
    kl_json_add_hash(out, "storageHash", &a->claim.storage_root);
    kl_json_put_key(out, "slots");
    kl_json_put_array(out);
    for (usize i = 0; i < a->slot_count; i++) {
        kl_json_put_object(out);
        kl_json_add_quantity_u256(out, "key", a->slots[i].key);
        kl_json_add_quantity_u256(out, "value", a->slots[i].value);
        kl_json_put_object_end(out);
    }
    kl_json_put_array_end(out);
    kl_json_put_object_end(out);
}

void kl_light_print_json(FILE *file, const char *path, const struct kl_light *light,
                         const kl_light_bundle *bundle, const kl_light_result *result)
{
    const kl_light_block *b = &result->block;
    struct kl_buf text;
    kl_buf_init(&text, (usize)1 << 30);
    struct kl_json_out out = kl_json_out_to(&text);
    kl_json_put_object(&out);
    kl_json_add_text(&out, "file", path);
    kl_json_add_bool(&out, "good", true);
    kl_json_add_quantity(&out, "number", b->header.number);
    kl_json_add_hash(&out, "hash", &b->hash);
    kl_json_add_hash(&out, "stateRoot", &b->header.state_root);
    kl_json_add_quantity(&out, "timestamp", b->header.timestamp);
    kl_json_add_quantity(&out, "finalNumber", b->final_number);
    kl_json_add_hash(&out, "finalHash", &b->final_hash);
    kl_json_add_quantity(&out, "epoch", light->epoch);
    if (b->is_signed) {
        kl_json_add_quantity(&out, "view", b->view);
        kl_json_add_quantity(&out, "timeMs", b->time_ms);
        kl_json_add_quantity(&out, "signers", b->signers);
        kl_json_add_quantity(&out, "weight", b->weight);
    }
    if (bundle->has_account)
        put_account(&out, &bundle->account, result->account_exists);
    kl_json_put_object_end(&out);
    flush_line(file, &text);
}

void kl_light_print_fault(FILE *file, const char *path, const kl_light_fault *fault, bool json)
{
    if (!json) {
        fprintf(file, "%s: refused: %s%s%s\n", path, fault->where, fault->where[0] ? ": " : "",
                kl_rule_text(fault->rule));
        return;
    }
    struct kl_buf text;
    kl_buf_init(&text, 1 << 16);
    struct kl_json_out out = kl_json_out_to(&text);
    kl_json_put_object(&out);
    kl_json_add_text(&out, "file", path);
    kl_json_add_bool(&out, "good", false);
    kl_json_add_text(&out, "where", fault->where);
    kl_json_add_text(&out, "rule", kl_rule_name(fault->rule));
    kl_json_add_text(&out, "reason", kl_rule_text(fault->rule));
    kl_json_put_object_end(&out);
    flush_line(file, &text);
}
