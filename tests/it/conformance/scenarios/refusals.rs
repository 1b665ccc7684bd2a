//! The far side is there and does not take what it gets.

use super::NONE_DEAD;
use crate::conformance::scene::Scene;

/// A record that is refused for good lies with the dead letters, with the far side's words; the rest arrives.
pub(in crate::conformance) fn dead_letter(mut scene: Scene) {
    let refused = scene.far.refuse();
    scene.start();
    scene.append("a", 0..333);
    scene.append_line("a", &(refused.line)(333));
    scene.append("a", 334..700);
    scene.append_line("a", &(refused.line)(700));
    scene.append("a", 701..1000);
    scene.end(&[("a", 1000)], (&[333, 700], refused.reason));
}

/// While the far side is busy nothing dies, and then all of it arrives.
pub(in crate::conformance) fn busy(mut scene: Scene) {
    scene.start();
    scene.append("a", 0..300);
    scene.wait_for(300);
    let mut count = 300;
    for status in [429, 503] {
        scene.far.be_busy(Some(status));
        scene.append("a", count..count + 500);
        scene.wait_failing(&status.to_string());
        count += 500;
        scene.far.be_busy(None);
        scene.wait_for(count);
    }
    scene.end(&[("a", count)], NONE_DEAD);
}

/// What is too much at once is sent in parts; a record that is too large alone is a dead letter.
pub(in crate::conformance) fn too_large(mut scene: Scene) {
    const LIMIT: usize = 32 << 10;
    let words = scene.far.limit(LIMIT);
    scene.max_records = 10_000;
    // All of it is there when the source begins, so that it comes in one window.
    scene.append("a", 0..500);
    scene.append_line("a", &format!("a#{:07} {}", 500, "large ".repeat(LIMIT / 6)));
    scene.append("a", 501..1000);
    scene.start();
    scene.wait_for(999);
    scene.far.was_too_large();
    scene.end(&[("a", 1000)], (&[500], words));
}

/// With a wrong password nothing dies and `/health` says why; with the right one all of it arrives, whether it comes by
/// a reload or by a restart.
pub(in crate::conformance) fn wrong_credentials(mut scene: Scene) {
    let words = scene.far.ask_for("first");
    scene.password = Some("wrong");
    scene.start();
    scene.append("a", 0..500);
    scene.wait_failing(words);
    assert_eq!(scene.far.count(), 0, "something has arrived without a password");
    scene.password = Some("first");
    scene.configure();
    scene.agent().reload();
    scene.wait_for(500);

    scene.far.ask_for("second");
    scene.append("a", 500..1000);
    scene.wait_failing(words);
    scene.password = Some("second");
    scene.configure();
    scene.agent().stop();
    scene.agent().start_again();
    scene.end(&[("a", 1000)], NONE_DEAD);
}
