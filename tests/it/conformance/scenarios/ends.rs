//! The agent ends, in one way or another, and is started again.

use super::NONE_DEAD;
use crate::conformance::scene::Scene;

/// Killed while it delivers, again and again.
pub(in crate::conformance) fn killed(scene: Scene) {
    ended(scene, 6, |scene| scene.agent().kill());
}

/// Stopped while it delivers, again and again.
pub(in crate::conformance) fn restarted(scene: Scene) {
    ended(scene, 3, |scene| scene.agent().stop());
}

fn ended(mut scene: Scene, times: usize, end: fn(&mut Scene)) {
    let burst = scene.sink.entry.burst;
    scene.start();
    for time in 0..times {
        let before = scene.far.count();
        scene.append("a", time * burst..(time + 1) * burst);
        scene.wait_beyond(before);
        end(&mut scene);
        scene.agent().start_again();
    }
    scene.append("b", 0..100);
    scene.end(&[("a", times * burst), ("b", 100)], NONE_DEAD);
}

/// The far side takes nothing and much is waiting: it stops in time all the same, also when it has just
/// begun, and all of it arrives later.
pub(in crate::conformance) fn full_queue_at_the_stop(mut scene: Scene) {
    let burst = scene.sink.entry.burst;
    scene.start();
    scene.append("b", 0..100);
    scene.wait_for(100);
    scene.far.hold();
    scene.append("a", 0..burst);
    scene.wait_stored(burst + 100);
    scene.agent().stop();
    if scene.far.lets_start() {
        scene.agent().start_again();
        scene.agent().stop();
    }
    scene.far.go_on();
    scene.agent().start_again();
    // What was waiting may have arrived before the stop after all; the sink of this life is to be seen at work.
    scene.append("b", 100..200);
    scene.end(&[("a", burst), ("b", 200)], NONE_DEAD);
}
