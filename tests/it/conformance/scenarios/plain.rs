//! Nothing goes wrong.

use super::NONE_DEAD;
use crate::conformance::scene::Scene;

/// Each record arrives once.
pub(in crate::conformance) fn once(mut scene: Scene) {
    scene.append("a", 0..1000);
    scene.start();
    scene.append("b", 0..1000);
    scene.wait_for(2000);
    scene.append("a", 1000..1500);
    scene.end(&[("a", 1500), ("b", 1000)], NONE_DEAD);
}

/// Records of one partition arrive in their order, though several are read at once and windows are of all sizes.
pub(in crate::conformance) fn order(mut scene: Scene) {
    assert!(scene.sink.entry.ordered, "an entry that runs this says that there is an order");
    let origins = ["a", "b", "c"];
    scene.max_records = 7;
    scene.start();
    for round in 0..30 {
        for origin in origins {
            scene.append(origin, round * 20..(round + 1) * 20);
        }
        // Windows end where what has come so far does.
        if round % 10 == 9 {
            scene.wait_for((round + 1) * 60);
        }
    }
    scene.end(&origins.map(|origin| (origin, 600)), NONE_DEAD);
}
