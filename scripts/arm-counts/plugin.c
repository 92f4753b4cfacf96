// A plugin for qemu's user-mode emulation of 64-bit ARM: counts the instructions that a program executes, by class, and prints the counts when
// it ends. The declarations are those of qemu 7.2's plugin interface (qemu-plugin.h) that are used here; Debian has no package with the header.
#include <inttypes.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

typedef uint64_t qemu_plugin_id_t;
struct qemu_plugin_tb;
struct qemu_plugin_insn;
enum qemu_plugin_op { QEMU_PLUGIN_INLINE_ADD_U64 };

void qemu_plugin_register_vcpu_tb_trans_cb(qemu_plugin_id_t id, void (*cb)(qemu_plugin_id_t, struct qemu_plugin_tb *));
void qemu_plugin_register_atexit_cb(qemu_plugin_id_t id, void (*cb)(qemu_plugin_id_t, void *), void *data);
void qemu_plugin_register_vcpu_tb_exec_inline(struct qemu_plugin_tb *tb, enum qemu_plugin_op op, void *at, uint64_t amount);
size_t qemu_plugin_tb_n_insns(const struct qemu_plugin_tb *tb);
struct qemu_plugin_insn *qemu_plugin_tb_get_insn(const struct qemu_plugin_tb *tb, size_t index);
const void *qemu_plugin_insn_data(const struct qemu_plugin_insn *instruction);

int qemu_plugin_version = 1;

enum class { DOT, MATRIX, VECTOR, LOAD, STORE, SCALAR, BRANCH, CLASSES };
static const char *const names[CLASSES] = {"sdot", "smmla", "vector", "load", "store", "scalar", "branch"};
static uint64_t counts[CLASSES];

// The encodings are those of the Arm Architecture Reference Manual, section C4.1.
static bool is_load(uint32_t code) {
    if ((code & 0x3b000000) == 0x18000000) return true; // from an address beside the code
    bool is_single = (code & 0x3a000000) == 0x38000000;
    if (!is_single) return code & 1 << 22;
    unsigned size = code >> 30, way = code >> 22 & 3;
    bool is_vector = code & 1 << 26;
    // Stores of vector registers of 16 bytes have a code of their own.
    return way != 0 && !(is_vector && size == 0 && way == 2);
}

static enum class class_of(uint32_t code) {
    bool is_dot_of_lane = (code & 0x9fc0f400) == 0x0f80e000, is_dot = (code & 0x9fe0fc00) == 0x0e809400;
    unsigned group = code >> 25 & 15;
    if (is_dot_of_lane || is_dot) return DOT;
    if ((code & 0xdfe0fc00) == 0x4e80a400) return MATRIX;
    if ((group & 7) == 7) return VECTOR;
    if ((group & 5) == 4) return is_load(code) ? LOAD : STORE;
    if ((group & 14) != 10) return SCALAR;
    bool is_branch = (code & 0x7c000000) == 0x14000000 || (code & 0x7c000000) == 0x34000000 || (code & 0xfe000000) == 0x54000000 ||
                     (code & 0xfe000000) == 0xd6000000;
    return is_branch ? BRANCH : SCALAR;
}

static void translated(qemu_plugin_id_t id, struct qemu_plugin_tb *block) {
    uint64_t own[CLASSES] = {0};
    (void)id;
    for (size_t index = 0; index < qemu_plugin_tb_n_insns(block); index++) {
        uint32_t code;
        memcpy(&code, qemu_plugin_insn_data(qemu_plugin_tb_get_insn(block, index)), sizeof code);
        own[class_of(code)]++;
    }
    for (int class = 0; class < CLASSES; class ++)
        if (own[class]) qemu_plugin_register_vcpu_tb_exec_inline(block, QEMU_PLUGIN_INLINE_ADD_U64, &counts[class], own[class]);
}

static void ended(qemu_plugin_id_t id, void *data) {
    (void)id, (void)data;
    for (int class = 0; class < CLASSES; class ++) fprintf(stderr, "%s %" PRIu64 "\n", names[class], counts[class]);
}

int qemu_plugin_install(qemu_plugin_id_t id, const void *info, int count, char **arguments) {
    (void)info, (void)count, (void)arguments;
    qemu_plugin_register_vcpu_tb_trans_cb(id, translated);
    qemu_plugin_register_atexit_cb(id, ended, NULL);
    return 0;
}
