//! More that conflicts never makes a verdict better: random scenes, each with one frame more.

use arpflux_core::types::Mac;

use super::scene::{MS, SECOND, Scene, VRRP, ip, mac};

/// A number that follows another at random (splitmix64).
struct Numbers(u64);

impl Numbers {
    fn below(&mut self, end: u64) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        (mixed ^ (mixed >> 31)) % end
    }
}

/// Claims of a few MACs about `10.0.0.1`, which has three askers.
fn build(numbers: &mut Numbers) -> Scene {
    let mut scene = Scene::default();
    let macs = [mac(1), mac(2), mac(0x81), mac(0x82), VRRP];
    let any = |numbers: &mut Numbers| macs[numbers.below(macs.len() as u64) as usize];
    let first = any(numbers);
    for _ in 0..2 + numbers.below(6) {
        // Mostly the one that has it.
        let from = if numbers.below(3) > 0 { first } else { any(numbers) };
        match numbers.below(8) {
            0..=3 => scene.round(1, &[from]),
            4 => scene.wait(SECOND).announce(from, 1),
            5 => scene.wait(SECOND).announce_by_reply(from, 1),
            6 => scene.wait(SECOND).probe(from, 1),
            _ => scene.wait(SECOND).packet((from, 1), (mac(9), 9), 64),
        };
    }
    scene
}

fn rank(scene: &Scene) -> u8 {
    let report = scene.report();
    report.address(ip(1)).map_or(0, |address| address.class.rank())
}

/// A MAC that this scene's address has not, and that no group excuses.
const OTHER: Mac = Mac::ethernet([0x02, 0x77, 0x11, 0x77, 0x22, 0x77]);

#[test]
fn a_frame_that_conflicts_more_never_makes_a_verdict_better() {
    let mut numbers = Numbers(7);
    let mut worse = 0;
    for round in 0..4_000 {
        let scene = build(&mut numbers);
        let before = rank(&scene);
        let at = numbers.below(scene.frames.len() as u64) as usize;
        let mut more = Scene::default();
        more.frames.clone_from(&scene.frames);
        more.now = scene.frames[at].0 + 2 * MS;
        let is_question =
            scene.frames[at].1[20..22] == [0, 1] && scene.frames[at].1[28..32] == ip(9).octets();
        match numbers.below(3) {
            // One more answers the same question.
            _ if is_question => more.reply(OTHER, 1, mac(9), 9),
            0 => more.announce(OTHER, 1),
            1 => more.reply(OTHER, 1, mac(9), 9),
            _ => more.announce_by_reply(OTHER, 1),
        };
        more.frames.sort_by_key(|(time, _)| *time);
        let after = rank(&more);
        worse += u32::from(after > before);
        let told = |scene: &Scene| scene.report().address(ip(1)).map(|one| (one.class, one.because.clone()));
        assert!(
            after >= before,
            "scene {round}, frame {at} once more: {:?} became {:?}\n{:?}",
            told(&scene),
            told(&more),
            more.frames.iter().map(|(time, frame)| format!("{time} {frame:02x?}")).collect::<Vec<_>>()
        );
        if is_question && before == 0 {
            assert_eq!(after, 2, "scene {round}: two MACs answer one question: {:?}", told(&more));
        }
    }
    assert!(worse > 1_000, "{worse} of the frames told anything");
}
