//! The far side is not there for a while, or the topic is not.

use super::NONE_DEAD;
use crate::conformance::scene::{LONG, Scene};

/// A far side that goes, once while nothing comes and once while it takes, gets all of it when it is back.
pub(in crate::conformance) fn down_and_back(mut scene: Scene) {
    scene.start();
    scene.append("a", 0..300);
    scene.wait_for(300);
    scene.agent().wait_no_lag(&["sink"], LONG);
    scene.far.go_away();
    let mut count = scene.append_until_failing(300);
    scene.far.come_back();
    scene.wait_for(count);

    let (before, burst) = (scene.far.count(), scene.sink.entry.burst);
    scene.append("a", count..count + burst);
    scene.wait_beyond(before);
    scene.far.go_away();
    count = scene.append_until_failing(count + burst);
    scene.far.come_back();
    scene.end(&[("a", count)], NONE_DEAD);
}

/// A topic that is deleted and made anew while it is delivered costs what was in it; what comes then is delivered, and
/// nothing of it twice because of that.
pub(in crate::conformance) fn topic_deleted(mut scene: Scene) {
    scene.start();
    let rounds = ["b", "c", "d"];
    for (round, origin) in rounds.into_iter().enumerate() {
        let (before, burst) = (scene.far.count(), scene.sink.entry.burst);
        scene.append("a", round * burst..(round + 1) * burst);
        scene.wait_beyond(before);
        // In the last round it is not even writing, but waits to send again what is gone by then.
        let goes_away = origin == "d" && scene.sink.runs("down_and_back");
        if goes_away {
            scene.far.go_away();
            scene.append_until_failing((round + 1) * burst);
        }
        scene.run(&["topics", "delete", "logs", "--yes", "--data-dir", "data"]);
        if goes_away {
            scene.far.come_back();
        }
        scene.append(origin, 0..500);
        scene.wait_for_all_of(origin, 500);
        assert!(goes_away || scene.health()["state"] == "ok", "{}", scene.health());
    }
    scene.agent().wait_no_lag(&["sink"], LONG);
    scene.agent().kill();
    scene.agent().start_again();
    // How far the files are read was stored in the topic, too.
    scene.append("e", 0..500);
    scene.wait_for_all_of("e", 500);
    scene.end(&["b", "c", "d", "e"].map(|origin| (origin, 500)), NONE_DEAD);
}
