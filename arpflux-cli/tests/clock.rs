//! Setting the clock does not matter: neither forwards nor backwards, while a change is on trial.
//!
//! A small library is put before the C library in the command's processes. It moves the time of day, and
//! only that, by what a file says.

mod image;

use std::process::Command;
use std::time::{Duration, Instant};

use image::Image;

const SHIM: &str = r#"
#define _GNU_SOURCE
#include <dlfcn.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/time.h>
#include <time.h>
#include <unistd.h>

static long offset(void) {
    char text[32] = "";
    int fd = open("/clock", O_RDONLY | O_CLOEXEC);
    if (fd < 0) return 0;
    ssize_t length = read(fd, text, sizeof text - 1);
    close(fd);
    return length > 0 ? atol(text) : 0;
}

int clock_gettime(clockid_t clock, struct timespec *now) {
    static int (*real)(clockid_t, struct timespec *);
    if (!real) real = (int (*)(clockid_t, struct timespec *))dlsym(RTLD_NEXT, "clock_gettime");
    int result = real(clock, now);
    if (result == 0 && (clock == CLOCK_REALTIME || clock == CLOCK_REALTIME_COARSE)) now->tv_sec += offset();
    return result;
}

int gettimeofday(struct timeval *now, void *zone) {
    (void)zone;
    struct timespec time;
    int result = clock_gettime(CLOCK_REALTIME, &time);
    now->tv_sec = time.tv_sec;
    now->tv_usec = time.tv_nsec / 1000;
    return result;
}

time_t time(time_t *out) {
    struct timespec now;
    clock_gettime(CLOCK_REALTIME, &now);
    if (out) *out = now.tv_sec;
    return now.tv_sec;
}
"#;

const DAY: i64 = 86_400;

fn set(image: &Image, seconds: i64) {
    image.write("/clock", &seconds.to_string());
}

fn json(text: &str) -> serde_json::Value {
    serde_json::from_str(text).unwrap_or_else(|error| panic!("{error}: {text}"))
}

#[test]
fn a_clock_that_jumps_confirms_nothing_and_undoes_nothing() {
    let image = Image::new("clock");
    image.write("/shim.c", SHIM);
    let built = Command::new("cc")
        .args(["-shared", "-fPIC", "-O", "-o"])
        .args([image.path("/shim.so"), image.path("/shim.c")])
        .args(["-ldl"])
        .status();
    assert!(built.expect("cc, of the Debian package gcc").success());
    let arpflux = |arguments: &str| image.good(&format!("LD_PRELOAD=/shim.so arpflux {arguments}"));

    // It does move the time of day that the command sees.
    set(&image, -400 * DAY);
    arpflux("proxy add -i eth0 192.0.2.1");
    let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap().as_secs();
    let list = json(&arpflux("rollback --list --json"));
    let started = list["transactions"][0]["started"].as_u64().unwrap();
    assert!((399..=401).contains(&((now - started) / DAY.unsigned_abs())), "{started} {now}");
    arpflux("rollback");

    let state = image.state();
    for jumps in [[DAY, -DAY, 0], [-DAY, 400 * DAY, -400 * DAY]] {
        set(&image, 0);
        let begin = Instant::now();
        arpflux("apply --policy /policy.toml --confirm 5s");
        let made = Instant::now();
        for jump in jumps {
            set(&image, jump);
            std::thread::sleep(Duration::from_millis(700));
            // Its exit code says whether anything waits.
            let (_, status, _) = image.run("LD_PRELOAD=/shim.so arpflux confirm --status --json");
            let status = json(&status);
            // What is left is what has really passed, give or take how long the command takes to say so.
            let left = status["waiting"]["remaining_ms"].as_u64();
            let passed = u64::try_from(begin.elapsed().as_millis()).unwrap();
            if let Some(left) = left {
                assert!(left <= 5_000 && left + passed >= 5_000, "{jump}: {left} ms left after {passed}");
            } else {
                assert!(begin.elapsed() >= Duration::from_secs(5), "{jump}: undone too early");
            }
        }
        while image.state() != state {
            assert!(made.elapsed() < Duration::from_secs(30), "not undone");
            std::thread::sleep(Duration::from_millis(50));
        }
        assert!(begin.elapsed() >= Duration::from_secs(5), "undone too early: {:?}", begin.elapsed());
    }
    // And it can be confirmed at another time of day than it was made.
    set(&image, 0);
    arpflux("apply --policy /policy.toml --confirm 60s");
    set(&image, -30 * DAY);
    arpflux("confirm");
    assert!(image.state() != state);
    set(&image, 300 * DAY);
    arpflux("rollback");
    assert!(image.state() == state);
}
