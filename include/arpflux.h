/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/**
 * arpflux: which interface of a multi-homed Linux host answers ARP for which address, why, and how to make
 * it exactly one.
 *
 * Written by `cargo xtask gen` from the sources of arpflux-c: do not edit.
 *
 * Conventions, which every function follows:
 *
 * - A function's name begins with the type that it is about. Inputs come before outputs, the error last.
 * - What returns a pointer without `const` gives an object to the caller, who frees it with the function named
 *   `TYPE_free` (texts: arpflux_string_free). What returns a pointer with `const` lends it: it lives as long
 *   as the object that it was taken from, and is not freed. A borrowed record or text must not be used after that.
 * - An owned handle that is NULL, already freed or of another type is answered with
 *   ARPFLUX_CODE_INVALID_INPUT, or with the value that the getter names. Freeing such a handle does nothing.
 * - On failure a function returns NULL or false and, if `err` is not NULL, sets `*err` to a new error, to be freed with
 *   arpflux_error_free. What `*err` held before is overwritten and not freed. Outputs are written on success only,
 *   and so is `*err` on failure only.
 * - Texts are UTF-8 and end in NUL. Interface names are bytes, as the kernel has them. Numbers of interfaces are from 1 up.
 * - Structs for options begin with `size`, which the caller sets to `sizeof` of the struct; later versions of the
 *   library only add members at the end, and 0 always asks for the default.
 * - All handles may be used from several threads at once. Snapshots, policies, plans and errors never change; calls on one
 *   host wait for each other.
 * - No function ends the process, lets a panic out, installs a signal handler or starts a thread; where one does
 *   start a thread, its text says so.
 */


#ifndef ARPFLUX_H
#define ARPFLUX_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/** The version of this header; arpflux_version() gives that of the library. */
#define ARPFLUX_VERSION "0.1.0"
/** The version as numbers: major, minor and patch. */
#define ARPFLUX_VERSION_MAJOR 0
/** See ARPFLUX_VERSION_MAJOR. */
#define ARPFLUX_VERSION_MINOR 1
/** See ARPFLUX_VERSION_MAJOR. */
#define ARPFLUX_VERSION_PATCH 0


/**
 * The room that the longest address needs as text, its NUL included.
 */
#define ARPFLUX_IP_TEXT_SIZE 46

/**
 * What became of a transaction.
 */
enum arpflux_outcome
#if defined(__cplusplus) || __STDC_VERSION__ >= 202311L
  : uint32_t
#endif // defined(__cplusplus) || __STDC_VERSION__ >= 202311L
 {
    /**
     * There was nothing to do.
     */
    ARPFLUX_OUTCOME_UNCHANGED = 1,
    /**
     * It stands.
     */
    ARPFLUX_OUTCOME_APPLIED = 2,
    /**
     * It is in force, and is undone unless it is confirmed in time.
     */
    ARPFLUX_OUTCOME_PENDING = 3,
    /**
     * It was taken back.
     */
    ARPFLUX_OUTCOME_UNDONE = 4,
};
#ifndef __cplusplus
#if __STDC_VERSION__ >= 202311L
typedef enum arpflux_outcome arpflux_outcome;
#else
typedef uint32_t arpflux_outcome;
#endif // __STDC_VERSION__ >= 202311L
#endif // __cplusplus

/**
 * What class of failure an error is. Numbers never change their meaning; later versions may add some.
 */
enum arpflux_code
#if defined(__cplusplus) || __STDC_VERSION__ >= 202311L
  : uint32_t
#endif // defined(__cplusplus) || __STDC_VERSION__ >= 202311L
 {
    /**
     * No error.
     */
    ARPFLUX_CODE_OK = 0,
    /**
     * A value is malformed or out of range: an address, an interface name, an option.
     */
    ARPFLUX_CODE_INVALID_INPUT = 1,
    /**
     * A policy file is not valid.
     */
    ARPFLUX_CODE_INVALID_POLICY = 2,
    /**
     * A stored snapshot, receipt or journal cannot be read, or is of a version this build does not know.
     */
    ARPFLUX_CODE_INVALID_DATA = 3,
    /**
     * The policy asks for something that would not work on this host, and says why.
     */
    ARPFLUX_CODE_REFUSED = 4,
    /**
     * No such interface, namespace, file or entry.
     */
    ARPFLUX_CODE_NOT_FOUND = 20,
    /**
     * The interface, entry or value is no longer what it was when the plan was made.
     */
    ARPFLUX_CODE_CHANGED = 21,
    /**
     * The kernel has no such sysctl, or does not support the operation.
     */
    ARPFLUX_CODE_UNSUPPORTED = 22,
    /**
     * A capability is missing.
     */
    ARPFLUX_CODE_PERMISSION_DENIED = 23,
    /**
     * Another writer holds the lock of this namespace.
     */
    ARPFLUX_CODE_BUSY = 24,
    /**
     * Nothing came within the time allowed.
     */
    ARPFLUX_CODE_TIMED_OUT = 25,
    /**
     * The kernel's dumps kept being interrupted by changes.
     */
    ARPFLUX_CODE_RACED = 26,
    /**
     * Stopped by a signal or by the caller.
     */
    ARPFLUX_CODE_INTERRUPTED = 27,
    /**
     * Any other system call failure.
     */
    ARPFLUX_CODE_IO = 40,
    /**
     * Applying failed; everything already done was undone.
     */
    ARPFLUX_CODE_ROLLED_BACK = 41,
    /**
     * Applying failed and undoing failed too; the error lists what is left.
     */
    ARPFLUX_CODE_PARTLY_APPLIED = 42,
    /**
     * Verification found that the host is not as the policy says.
     */
    ARPFLUX_CODE_VERIFY_FAILED = 43,
    /**
     * A defect of arpflux: please report it.
     */
    ARPFLUX_CODE_INTERNAL = 60,
};
#ifndef __cplusplus
#if __STDC_VERSION__ >= 202311L
typedef enum arpflux_code arpflux_code;
#else
typedef uint32_t arpflux_code;
#endif // __STDC_VERSION__ >= 202311L
#endif // __cplusplus

/**
 * Whether the kernel answers.
 */
enum arpflux_answer
#if defined(__cplusplus) || __STDC_VERSION__ >= 202311L
  : uint32_t
#endif // defined(__cplusplus) || __STDC_VERSION__ >= 202311L
 {
    /**
     * That cannot be told from the snapshot.
     */
    ARPFLUX_ANSWER_UNDETERMINED = 0,
    /**
     * It answers.
     */
    ARPFLUX_ANSWER_ANSWERS = 1,
    /**
     * It does not.
     */
    ARPFLUX_ANSWER_SILENT = 2,
};
#ifndef __cplusplus
#if __STDC_VERSION__ >= 202311L
typedef enum arpflux_answer arpflux_answer;
#else
typedef uint32_t arpflux_answer;
#endif // __STDC_VERSION__ >= 202311L
#endif // __cplusplus

/**
 * Which value of a sysctl decided.
 */
enum arpflux_value_source
#if defined(__cplusplus) || __STDC_VERSION__ >= 202311L
  : uint32_t
#endif // defined(__cplusplus) || __STDC_VERSION__ >= 202311L
 {
    /**
     * `net.ipv4.conf.all`.
     */
    ARPFLUX_VALUE_SOURCE_ALL = 1,
    /**
     * The interface's own.
     */
    ARPFLUX_VALUE_SOURCE_INTERFACE = 2,
    /**
     * Both hold it.
     */
    ARPFLUX_VALUE_SOURCE_BOTH = 3,
    /**
     * The kernel has no such sysctl; the value is what it does without.
     */
    ARPFLUX_VALUE_SOURCE_ABSENT = 4,
};
#ifndef __cplusplus
#if __STDC_VERSION__ >= 202311L
typedef enum arpflux_value_source arpflux_value_source;
#else
typedef uint32_t arpflux_value_source;
#endif // __STDC_VERSION__ >= 202311L
#endif // __cplusplus

/**
 * An address of an interface, borrowed from a snapshot.
 */
typedef struct arpflux_address arpflux_address;

/**
 * What failed, on what, why, and what to do about it. Owned by the caller: free it with
 * `arpflux_error_free`.
 */
typedef struct arpflux_error arpflux_error;

/**
 * What the kernel does with a request, and why. It never changes; free it with `arpflux_explanation_free`.
 */
typedef struct arpflux_explanation arpflux_explanation;

/**
 * A network namespace of this machine, which lives at least as long as this handle; free it with
 * `arpflux_host_free`. The calling thread is never moved: a call on a host does its work in a thread of its
 * own, which has ended when the call returns.
 */
typedef struct arpflux_host arpflux_host;

/**
 * An interface of a snapshot, borrowed from it.
 */
typedef struct arpflux_interface arpflux_interface;

/**
 * Ordered changes; it never changes itself. Free it with `arpflux_plan_free`.
 */
typedef struct arpflux_plan arpflux_plan;

/**
 * The desired state of one host; it never changes. Free it with `arpflux_policy_free`.
 */
typedef struct arpflux_policy arpflux_policy;

/**
 * A proxy entry (`ip neigh add proxy`), borrowed from a snapshot.
 */
typedef struct arpflux_proxy arpflux_proxy;

/**
 * What a transaction did. Free it with `arpflux_receipt_free`, which undoes a change on trial that was neither
 * confirmed nor left.
 */
typedef struct arpflux_receipt arpflux_receipt;

/**
 * What verification found; it never changes. Free it with `arpflux_report_free`.
 */
typedef struct arpflux_report arpflux_report;

/**
 * One network namespace at one moment. It never changes; free it with `arpflux_snapshot_free`.
 * Records and texts taken from it are borrowed: they live as long as the snapshot does.
 */
typedef struct arpflux_snapshot arpflux_snapshot;

/**
 * How a transaction is run. All 0 (besides `size`), or NULL instead of the struct, asks for the defaults.
 */
typedef struct {
    /**
     * `sizeof` of this struct.
     */
    size_t size;
    /**
     * The change is on trial for this time, in milliseconds, from 1 s to 24 h: it is undone unless it is confirmed in
     * time, by a process of its own that outlives the caller. 0: it is kept at once.
     */
    uint64_t confirm_within_ms;
    /**
     * How long to wait for another writer, in milliseconds; 0: the default, 10 s.
     */
    uint64_t lock_wait_ms;
    /**
     * The folder for the state of all namespaces, an absolute path; NULL: the default. All that change the same
     * namespace have to name the same folder.
     */
    const char *state_dir;
} arpflux_apply_options;

/**
 * An IPv4 or IPv6 address, by value.
 */
typedef struct {
    /**
     * 4 or 6; 0: no address.
     */
    uint8_t family;
    /**
     * The address in network byte order; an IPv4 address is in the first four bytes, the rest is 0.
     */
    uint8_t bytes[16];
} arpflux_ip;

/**
 * An ARP request as it arrives on an interface.
 */
typedef struct {
    /**
     * `sizeof` of this struct.
     */
    size_t size;
    /**
     * The name of the interface it arrives on.
     */
    const char *interface;
    /**
     * The IPv4 address asked for.
     */
    arpflux_ip target;
    /**
     * Who asks, an IPv4 address; 0.0.0.0 in an RFC 5227 probe.
     */
    arpflux_ip sender;
    /**
     * The bytes of the sender's MAC, where it matters; NULL: an ordinary neighbour's.
     */
    const uint8_t *sender_mac;
    /**
     * How many bytes `sender_mac` has.
     */
    size_t sender_mac_length;
    /**
     * Not 0: the frame was sent to this interface's MAC instead of to all.
     */
    uint32_t unicast;
} arpflux_request;

#ifdef __cplusplus
extern "C" {
#endif // __cplusplus

/**
 * Makes a plan so, as one transaction: all of it, or nothing of it. `options` may be NULL.
 *
 * Returns a receipt to be freed with `arpflux_receipt_free`, or NULL and sets `*err`: `ARPFLUX_CODE_CHANGED` if the host is no
 * longer what the plan saw, `ARPFLUX_CODE_ROLLED_BACK` if a step failed and all was undone,
 * `ARPFLUX_CODE_PARTLY_APPLIED` if not all could be undone, `ARPFLUX_CODE_BUSY` if another writer is in the way.
 */
arpflux_receipt *arpflux_host_apply(const arpflux_host *host,
                                    const arpflux_plan *plan,
                                    const arpflux_apply_options *options,
                                    arpflux_error **err);

/**
 * Takes a transaction back: the one of number `id`, or, if that is 0, the last that stands. What somebody else changed
 * since is left alone and listed among the conflicts, unless `force`. `options` may be NULL.
 *
 * Returns the receipt of the rollback, to be freed with `arpflux_receipt_free`, or NULL and sets `*err`:
 * `ARPFLUX_CODE_NOT_FOUND` if there is nothing to take back, and as `arpflux_host_apply`.
 */
arpflux_receipt *arpflux_host_rollback(const arpflux_host *host,
                                       uint64_t id,
                                       bool force,
                                       const arpflux_apply_options *options,
                                       arpflux_error **err);

/**
 * Keeps the transaction that waits for confirmation: of number `id`, or, if that is 0, whichever it is. For those who
 * hold no receipt; `arpflux_receipt_confirm` is for those who do. `options` may be NULL.
 *
 * Returns its receipt, to be freed with `arpflux_receipt_free`, or NULL and sets `*err`: `ARPFLUX_CODE_NOT_FOUND` if none waits.
 */
arpflux_receipt *arpflux_host_confirm(const arpflux_host *host,
                                      uint64_t id,
                                      const arpflux_apply_options *options,
                                      arpflux_error **err);

/**
 * Undoes what a crash left half done; every call that changes something does so first, too. With `discard`, a journal
 * that cannot be carried out is set aside instead. Sets `*undone` (where it is not NULL) to whether something was undone.
 * `options` may be NULL.
 *
 * Returns true, or false and sets `*err`: `ARPFLUX_CODE_INVALID_DATA` for a damaged journal,
 * `ARPFLUX_CODE_PARTLY_APPLIED` if something could not be undone.
 */
bool arpflux_host_recover(const arpflux_host *host,
                          bool discard,
                          const arpflux_apply_options *options,
                          bool *undone,
                          arpflux_error **err);

/**
 * Keeps the change. If it was not on trial, nothing happens.
 *
 * Returns true, or false and sets `*err`: `ARPFLUX_CODE_NOT_FOUND` if it was undone meanwhile.
 */
bool arpflux_receipt_confirm(arpflux_receipt *receipt, arpflux_error **err);

/**
 * Takes the change back, on trial or not; what somebody else changed since is left alone.
 *
 * Returns true, or false and sets `*err`, as `arpflux_host_rollback`.
 */
bool arpflux_receipt_undo(arpflux_receipt *receipt, arpflux_error **err);

/**
 * Lets the change wait for a confirmation from elsewhere (`arpflux_host_confirm`, `arpflux confirm`); if none comes in
 * time, it is undone.
 *
 * Returns true, or false and sets `*err`.
 */
bool arpflux_receipt_leave(arpflux_receipt *receipt,
                           arpflux_error **err);

/**
 * The number of the transaction, from 1 up; 0 if there was nothing to do, or for NULL.
 */
uint64_t arpflux_receipt_id(const arpflux_receipt *receipt);

/**
 * What became of the transaction, as far as this receipt knows; `ARPFLUX_OUTCOME_UNCHANGED` for NULL.
 */
arpflux_outcome arpflux_receipt_outcome(const arpflux_receipt *receipt);

/**
 * How many changes were read again from the kernel and found as they should be.
 */
size_t arpflux_receipt_verified_count(const arpflux_receipt *receipt);

/**
 * How many changes were made.
 */
size_t arpflux_receipt_change_count(const arpflux_receipt *receipt);

/**
 * The change at a place, from 0, as one line. Borrowed from the receipt; NULL beyond the last.
 */
const char *arpflux_receipt_change_at(const arpflux_receipt *receipt, size_t at);

/**
 * How much was left alone because somebody else had changed it.
 */
size_t arpflux_receipt_conflict_count(const arpflux_receipt *receipt);

/**
 * The conflict at a place, from 0, as a sentence. Borrowed from the receipt; NULL beyond the last.
 */
const char *arpflux_receipt_conflict_at(const arpflux_receipt *receipt, size_t at);

/**
 * How many notes there are.
 */
size_t arpflux_receipt_note_count(const arpflux_receipt *receipt);

/**
 * Whatever else is worth knowing, at a place from 0, as a sentence. Borrowed from the receipt; NULL beyond the last.
 */
const char *arpflux_receipt_note_at(const arpflux_receipt *receipt,
                                    size_t at);

/**
 * The receipt as one JSON object with `"schema": 1`.
 *
 * Returns a text to be freed with `arpflux_string_free`, or NULL and sets `*err`.
 */
char *arpflux_receipt_to_json(const arpflux_receipt *receipt, arpflux_error **err);

/**
 * Frees a receipt. A change on trial that was neither confirmed nor left is undone first, which takes a moment; if that
 * fails, it is undone at its deadline. NULL and receipts already freed are left alone.
 */
void arpflux_receipt_free(arpflux_receipt *receipt);

/**
 * The stable number of the class of failure; `ARPFLUX_CODE_OK` for NULL.
 */
arpflux_code arpflux_error_code(const arpflux_error *error);

/**
 * The stable name of the class of failure, such as `"not_found"`. Borrowed from the error; NULL for NULL.
 */
const char *arpflux_error_name(const arpflux_error *error);

/**
 * What was attempted, such as `"add proxy entry"`, or an empty text. Borrowed from the error; NULL for NULL.
 */
const char *arpflux_error_operation(const arpflux_error *error);

/**
 * The object at fault (an interface, an address, a file), or an empty text. Borrowed from the error;
 * NULL for NULL.
 */
const char *arpflux_error_object(const arpflux_error *error);

/**
 * The system's error number, or 0 if no system call failed.
 */
int arpflux_error_errno(const arpflux_error *error);

/**
 * What went wrong, without operation, object and hint. Borrowed from the error; NULL for NULL.
 */
const char *arpflux_error_message(const arpflux_error *error);

/**
 * What to do about it, or NULL where that is not known. Borrowed from the error.
 */
const char *arpflux_error_hint(const arpflux_error *error);

/**
 * All of it as one line for people. Borrowed from the error; NULL for NULL.
 */
const char *arpflux_error_text(const arpflux_error *error);

/**
 * The exit code that the command `arpflux` ends with for this failure: 1 the answer is bad, 2 usage or a
 * bad file, 3 not permitted, 4 failed and restored, 5 failed and not fully restored; 0 for NULL.
 */
int arpflux_error_exit_code(const arpflux_error *error);

/**
 * Whether the same call may succeed if it is made again.
 */
bool arpflux_error_is_transient(const arpflux_error *error);

/**
 * Frees an error. NULL and errors already freed are left alone.
 */
void arpflux_error_free(arpflux_error *error);

/**
 * What the kernel does with a request, and why.
 *
 * Returns an explanation to be freed with `arpflux_explanation_free`, or NULL and sets `*err`:
 * `ARPFLUX_CODE_NOT_FOUND` if the snapshot has no such interface, `ARPFLUX_CODE_INVALID_INPUT` if the request is none.
 */
arpflux_explanation *arpflux_snapshot_explain(const arpflux_snapshot *snapshot,
                                              const arpflux_request *request,
                                              arpflux_error **err);

/**
 * Whether the kernel answers; `ARPFLUX_ANSWER_UNDETERMINED` for NULL.
 */
arpflux_answer arpflux_explanation_answer(const arpflux_explanation *explanation);

/**
 * The MAC in the answer. Borrowed; NULL if there is none.
 */
const char *arpflux_explanation_mac(const arpflux_explanation *explanation);

/**
 * The stable name of the rule that decided, such as `"arp_ignore"`. Borrowed; NULL if it cannot be told.
 */
const char *arpflux_explanation_reason(const arpflux_explanation *explanation);

/**
 * The number of the interface that answers; 0 if none does.
 */
uint32_t arpflux_explanation_interface(const arpflux_explanation *explanation);

/**
 * The answer comes after a random time below this, in milliseconds; 0: at once.
 */
uint64_t arpflux_explanation_delay_below_ms(const arpflux_explanation *explanation);

/**
 * How many steps led to the verdict; 0 for NULL.
 */
size_t arpflux_explanation_step_count(const arpflux_explanation *explanation);

/**
 * The step at a place, from 0, as a sentence. Borrowed; NULL beyond the last.
 */
const char *arpflux_explanation_step_at(const arpflux_explanation *explanation, size_t at);

/**
 * All steps, one sentence a line. Borrowed; NULL for NULL.
 */
const char *arpflux_explanation_text(const arpflux_explanation *explanation);

/**
 * All of it as one JSON object, as `arpflux explain --json` prints it. Borrowed; NULL for NULL.
 */
const char *arpflux_explanation_json(const arpflux_explanation *explanation);

/**
 * Frees an explanation. NULL and explanations already freed are left alone.
 */
void arpflux_explanation_free(arpflux_explanation *explanation);

/**
 * The namespace of the calling thread.
 *
 * Returns a host to be freed with `arpflux_host_free`, or NULL and sets `*err`.
 */
arpflux_host *arpflux_host_open_current(arpflux_error **err);

/**
 * A namespace by the name that `ip netns add` gave it, or, if there is a slash in it, by a path such as
 * `/proc/1234/ns/net`.
 *
 * Returns a host to be freed with `arpflux_host_free`, or NULL and sets `*err`: `ARPFLUX_CODE_NOT_FOUND` if there
 * is none, `ARPFLUX_CODE_INVALID_INPUT` if it is no network namespace.
 */
arpflux_host *arpflux_host_open_netns(const char *name_or_path,
                                      arpflux_error **err);

/**
 * The namespace of a process.
 *
 * Returns a host to be freed with `arpflux_host_free`, or NULL and sets `*err`: `ARPFLUX_CODE_NOT_FOUND` if there
 * is no such process.
 */
arpflux_host *arpflux_host_open_process(uint32_t pid,
                                        arpflux_error **err);

/**
 * Reads everything that decides about ARP there, consistently.
 *
 * Returns a snapshot to be freed with `arpflux_snapshot_free`, or NULL and sets `*err`:
 * `ARPFLUX_CODE_PERMISSION_DENIED` if the namespace may not be entered, `ARPFLUX_CODE_RACED` if it kept changing.
 */
arpflux_snapshot *arpflux_host_snapshot(const arpflux_host *host,
                                        arpflux_error **err);

/**
 * Frees a host. NULL and hosts already freed are left alone.
 */
void arpflux_host_free(arpflux_host *host);

/**
 * Reads an address such as `"192.168.18.101"` or `"fd00::1"`.
 *
 * Writes `*out` and returns true, or returns false and sets `*err`.
 */
bool arpflux_ip_parse(const char *text, arpflux_ip *out, arpflux_error **err);

/**
 * Writes an address as text, ending in NUL, into `buffer` of `size` bytes (`ARPFLUX_IP_TEXT_SIZE` is always
 * enough). Returns its length without the NUL; 0, and nothing written besides an empty text, if it does not fit or is no address.
 */
size_t arpflux_ip_format(arpflux_ip address,
                         char *buffer,
                         size_t size);

/**
 * What has to change on the host that the snapshot shows so that the policy holds. Nothing is changed by this, and the
 * snapshot may be of another machine. On a host where the policy holds already the plan is empty.
 *
 * Returns a plan to be freed with `arpflux_plan_free`, or NULL and sets `*err`: `ARPFLUX_CODE_REFUSED` if the policy would
 * not work there, `ARPFLUX_CODE_NOT_FOUND` if an interface is not there.
 */
arpflux_plan *arpflux_policy_plan(const arpflux_policy *policy,
                                  const arpflux_snapshot *snapshot,
                                  arpflux_error **err);

/**
 * The plan that restores what was there before, in the opposite order.
 *
 * Returns a plan to be freed with `arpflux_plan_free`, or NULL and sets `*err`.
 */
arpflux_plan *arpflux_plan_inverse(const arpflux_plan *plan, arpflux_error **err);

/**
 * Reads a plan that `arpflux_plan_to_json` wrote.
 *
 * Returns a plan to be freed with `arpflux_plan_free`, or NULL and sets `*err` (`ARPFLUX_CODE_INVALID_DATA`).
 */
arpflux_plan *arpflux_plan_from_json(const char *text, arpflux_error **err);

/**
 * The plan as one JSON object with `"schema": 1`.
 *
 * Returns a text to be freed with `arpflux_string_free`, or NULL and sets `*err`.
 */
char *arpflux_plan_to_json(const arpflux_plan *plan, arpflux_error **err);

/**
 * How many changes there are; 0: nothing has to change (or NULL).
 */
size_t arpflux_plan_change_count(const arpflux_plan *plan);

/**
 * The change at a place, from 0, in the order they are made, as one line. Borrowed from the plan; NULL beyond the last.
 */
const char *arpflux_plan_change_at(const arpflux_plan *plan,
                                   size_t at);

/**
 * How many choices the plan made where the policy left them open; 0 for NULL.
 */
size_t arpflux_plan_decision_count(const arpflux_plan *plan);

/**
 * The choice at a place, from 0, and its reason as one sentence. Borrowed from the plan; NULL beyond the last.
 */
const char *arpflux_plan_decision_at(const arpflux_plan *plan,
                                     size_t at);

/**
 * All of it for people, several lines. Borrowed from the plan; NULL for NULL.
 */
const char *arpflux_plan_text(const arpflux_plan *plan);

/**
 * Frees a plan. NULL and plans already freed are left alone.
 */
void arpflux_plan_free(arpflux_plan *plan);

/**
 * Reads a policy file, whose name ends in `.toml` or `.json`.
 *
 * Returns a policy to be freed with `arpflux_policy_free`, or NULL and sets `*err`: `ARPFLUX_CODE_INVALID_POLICY`
 * with `FILE:LINE:COLUMN` as its object, or any failure to read the file.
 */
arpflux_policy *arpflux_policy_from_path(const char *path,
                                         arpflux_error **err);

/**
 * Reads the TOML form of a policy. `source_name` stands for the file in errors.
 *
 * Returns a policy to be freed with `arpflux_policy_free`, or NULL and sets `*err` (`ARPFLUX_CODE_INVALID_POLICY`).
 */
arpflux_policy *arpflux_policy_from_toml(const char *text,
                                         const char *source_name,
                                         arpflux_error **err);

/**
 * Reads the JSON form of a policy. `source_name` stands for the file in errors.
 *
 * Returns a policy to be freed with `arpflux_policy_free`, or NULL and sets `*err` (`ARPFLUX_CODE_INVALID_POLICY`).
 */
arpflux_policy *arpflux_policy_from_json(const char *text,
                                         const char *source_name,
                                         arpflux_error **err);

/**
 * The TOML form. Returns a text to be freed with `arpflux_string_free`, or NULL and sets `*err`.
 */
char *arpflux_policy_to_toml(const arpflux_policy *policy, arpflux_error **err);

/**
 * The JSON form. Returns a text to be freed with `arpflux_string_free`, or NULL and sets `*err`.
 */
char *arpflux_policy_to_json(const arpflux_policy *policy, arpflux_error **err);

/**
 * Frees a policy. NULL and policies already freed are left alone.
 */
void arpflux_policy_free(arpflux_policy *policy);

/**
 * Reads a snapshot that `arpflux_snapshot_to_json` or `arpflux snapshot --json` wrote.
 *
 * Returns a snapshot to be freed with `arpflux_snapshot_free`, or NULL and sets `*err`
 * (`ARPFLUX_CODE_INVALID_DATA`).
 */
arpflux_snapshot *arpflux_snapshot_from_json(const char *text, arpflux_error **err);

/**
 * The snapshot as one JSON object with `"schema": 1`.
 *
 * Returns a text to be freed with `arpflux_string_free`, or NULL and sets `*err`.
 */
char *arpflux_snapshot_to_json(const arpflux_snapshot *snapshot, arpflux_error **err);

/**
 * Whether two snapshots hold the same, everything compared. False if either is NULL.
 */
bool arpflux_snapshot_equal(const arpflux_snapshot *one, const arpflux_snapshot *other);

/**
 * The version of the JSON form that this library writes and reads.
 */
uint32_t arpflux_snapshot_schema(void);

/**
 * Frees a snapshot, and with it all that was borrowed from it. NULL and snapshots already freed are left alone.
 */
void arpflux_snapshot_free(arpflux_snapshot *snapshot);

/**
 * How many addresses of both families there are; 0 for NULL.
 */
size_t arpflux_snapshot_address_count(const arpflux_snapshot *snapshot);

/**
 * The address at a place, from 0, in the kernel's order. Borrowed from the snapshot; NULL beyond the last.
 */
const arpflux_address *arpflux_snapshot_address_at(const arpflux_snapshot *snapshot, size_t at);

/**
 * The host's own address; of family 0 for NULL.
 */
arpflux_ip arpflux_address_local(const arpflux_address *address);

/**
 * The other end of a point-to-point address; of family 0 if there is none.
 */
arpflux_ip arpflux_address_peer(const arpflux_address *address);

/**
 * The length of its prefix, in bits, from 0 to 32 or 128; 0 for NULL.
 */
uint8_t arpflux_address_prefix_len(const arpflux_address *address);

/**
 * The number of the interface that holds it; 0 for NULL.
 */
uint32_t arpflux_address_interface(const arpflux_address *address);

/**
 * How many interfaces there are; 0 for NULL.
 */
size_t arpflux_snapshot_interface_count(const arpflux_snapshot *snapshot);

/**
 * The interface at a place, from 0, in the order of their numbers. Borrowed from the snapshot; NULL beyond the last.
 */
const arpflux_interface *arpflux_snapshot_interface_at(const arpflux_snapshot *snapshot,
                                                       size_t at);

/**
 * The interface of that name. Borrowed from the snapshot; NULL if there is none.
 */
const arpflux_interface *arpflux_snapshot_find_interface(const arpflux_snapshot *snapshot, const char *name);

/**
 * Its name. Borrowed; NULL for NULL. Interface names are bytes: they need not be UTF-8.
 */
const char *arpflux_interface_name(const arpflux_interface *interface);

/**
 * Its number; 0 for NULL.
 */
uint32_t arpflux_interface_index(const arpflux_interface *interface);

/**
 * What kind of virtual interface it is (`"veth"`, `"bridge"`, `"vlan"`). Borrowed; NULL for real ones.
 */
const char *arpflux_interface_kind(const arpflux_interface *interface);

/**
 * Its link-layer address as text, such as `"00:0c:29:b3:a2:54"`; empty if it has none. Borrowed; NULL for NULL.
 */
const char *arpflux_interface_mac(const arpflux_interface *interface);

/**
 * The bytes of its link-layer address. Sets `*length` (0 to 32; 6 for Ethernet) where `length` is not NULL.
 * Borrowed; NULL if it has none.
 */
const uint8_t *arpflux_interface_mac_bytes(const arpflux_interface *interface, size_t *length);

/**
 * Its flags (`IFF_UP` and so on, see netdevice(7)); 0 for NULL.
 */
uint32_t arpflux_interface_flags(const arpflux_interface *interface);

/**
 * Its largest packet, in bytes; 0 for NULL.
 */
uint32_t arpflux_interface_mtu(const arpflux_interface *interface);

/**
 * The number of the bridge, bond or VRF that it is a port of; 0 if none.
 */
uint32_t arpflux_interface_master(const arpflux_interface *interface);

/**
 * Whether it has carrier.
 */
bool arpflux_interface_has_carrier(const arpflux_interface *interface);

/**
 * Whether the kernel handles ARP on it at all: up, not loopback, not `NOARP`.
 */
bool arpflux_interface_speaks_arp(const arpflux_interface *interface);

/**
 * The value of a sysctl below `net.ipv4.conf` (such as `"arp_ignore"`) that counts on an interface: that of `all`
 * and the interface's own, combined as the kernel does.
 *
 * Writes `*value`, and `*source` where that is not NULL, and returns true; or returns false and sets `*err`.
 */
bool arpflux_snapshot_sysctl(const arpflux_snapshot *snapshot,
                             const char *interface,
                             const char *sysctl,
                             int32_t *value,
                             arpflux_value_source *source,
                             arpflux_error **err);

/**
 * How many proxy entries of both families there are; 0 for NULL.
 */
size_t arpflux_snapshot_proxy_count(const arpflux_snapshot *snapshot);

/**
 * The proxy entry at a place, from 0, in the kernel's order. Borrowed from the snapshot; NULL beyond the last.
 */
const arpflux_proxy *arpflux_snapshot_proxy_at(const arpflux_snapshot *snapshot,
                                               size_t at);

/**
 * The address answered for; of family 0 for NULL.
 */
arpflux_ip arpflux_proxy_address(const arpflux_proxy *proxy);

/**
 * The number of the interface it answers on; 0: on all.
 */
uint32_t arpflux_proxy_interface(const arpflux_proxy *proxy);

/**
 * Who added it (`RTPROT_*`); 0 unknown.
 */
uint8_t arpflux_proxy_protocol(const arpflux_proxy *proxy);

/**
 * Frees a text that arpflux returned as `char *`. NULL, and what is not such a text, is left alone.
 */
void arpflux_string_free(char *text);

/**
 * Checks a snapshot against a policy: every value, entry, rule and route, and by the model of the kernel that each address
 * is answered by its own interface and no other, for all senders and targets. Nothing is sent.
 *
 * Returns a report to be freed with `arpflux_report_free`, which also tells what is not as it should be; or NULL and sets `*err`
 * (`ARPFLUX_CODE_INVALID_POLICY`).
 */
arpflux_report *arpflux_policy_verify(const arpflux_policy *policy,
                                      const arpflux_snapshot *snapshot,
                                      arpflux_error **err);

/**
 * Whether something was checked and all of it is as the policy says; false for NULL. What cannot be told is no failure:
 * see `arpflux_report_undetermined_count`.
 */
bool arpflux_report_ok(const arpflux_report *report);

/**
 * How many things were checked; 0 for NULL.
 */
size_t arpflux_report_check_count(const arpflux_report *report);

/**
 * How much is not as the policy says; 0 for NULL.
 */
size_t arpflux_report_failure_count(const arpflux_report *report);

/**
 * The failure at a place, from 0, as a sentence. Borrowed from the report; NULL beyond the last.
 */
const char *arpflux_report_failure_at(const arpflux_report *report, size_t at);

/**
 * How much cannot be told from the snapshot; 0 for NULL.
 */
size_t arpflux_report_undetermined_count(const arpflux_report *report);

/**
 * What cannot be told, at a place from 0, as a sentence. Borrowed from the report; NULL beyond the last.
 */
const char *arpflux_report_undetermined_at(const arpflux_report *report, size_t at);

/**
 * The report as one JSON object with `"schema": 1`.
 *
 * Returns a text to be freed with `arpflux_string_free`, or NULL and sets `*err`.
 */
char *arpflux_report_to_json(const arpflux_report *report, arpflux_error **err);

/**
 * Frees a report. NULL and reports already freed are left alone.
 */
void arpflux_report_free(arpflux_report *report);

/**
 * The version of the library that is linked, such as `"0.1.0"`. Static; do not free it.
 * `ARPFLUX_VERSION` is that of the header.
 */
const char *arpflux_version(void);

#ifdef __cplusplus
}  // extern "C"
#endif  // __cplusplus

#endif  /* ARPFLUX_H */
