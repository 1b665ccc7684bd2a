//! What the sink does when somebody removes, renames or cuts the file that it writes.

use std::path::Path;

use serde_json::json;

use super::exactness::{Delivery, alone, config, contents, expected};
use crate::Sink;

/// What is done to the live file, and what of the lines 2 and 3, which are not committed yet, is then at its path.
#[tokio::test]
async fn what_was_not_committed_is_written_again_when_the_live_file_is_removed_or_else_counted() {
    type Do = fn(&Path);
    let remove: Do = |path| std::fs::remove_file(path).unwrap();
    let remove_folder: Do = |path| std::fs::remove_dir_all(path.parent().unwrap()).unwrap();
    let replace: Do = |path| {
        std::fs::remove_file(path).unwrap();
        std::fs::write(path, "theirs\n").unwrap();
    };
    let rename_folder: Do = |path| {
        std::fs::rename(path.parent().unwrap(), path.ancestors().nth(2).unwrap().join("old"))
            .unwrap();
    };
    let cut: Do = |path| drop(std::fs::File::create(path).unwrap());
    for (what, is_closed, before, wanted, lost) in [
        (remove, false, "", vec![2, 3, 4], 0),
        (remove_folder, false, "", vec![2, 3, 4], 0),
        (replace, false, "theirs\n", vec![2, 3, 4], 0),
        (rename_folder, false, "", vec![4], 0),
        (cut, false, "", vec![3, 4], 1),
        (remove, true, "", vec![4], 2),
    ] {
        let folder = tempfile::tempdir().unwrap();
        let open = if is_closed { 1 } else { 9 };
        let mut delivery = Delivery::new(config(folder.path(), &json!({ "max_open_files": open })));
        let path = folder.path().join("t/h0.log");
        delivery.sent = vec![(1, 0), (0, 1)];
        delivery.finish().await;
        delivery.sent.push((0, 2));
        delivery.write(1).await.unwrap();
        if lost == 1 {
            what(&path);
        }
        delivery.sent.push((0, 3));
        delivery.write(1).await.unwrap();
        if is_closed {
            delivery.sent.push((1, 3));
            delivery.write(1).await.unwrap();
        }
        if lost != 1 {
            what(&path);
        }
        delivery.commit().await;
        assert_eq!(delivery.sink.lost(), lost, "{wanted:?}");
        delivery.sent.push((0, 4));
        delivery.finish().await;
        let lines: Vec<(u8, u32)> = wanted.iter().map(|number| (0, *number)).collect();
        let found = String::from_utf8(std::fs::read(&path).unwrap()).unwrap();
        let wanted = String::from_utf8(expected(&lines)["h0"].clone()).unwrap();
        assert_eq!(found, format!("{before}{wanted}"));
        assert_eq!(delivery.sink.lost(), 0);
    }
}

#[tokio::test]
async fn a_compressed_file_that_is_removed_is_whole_when_it_is_written_again() {
    for compression in ["gzip", "zstd"] {
        let folder = tempfile::tempdir().unwrap();
        let config = config(folder.path(), &json!({ "compression": compression }));
        let path = folder.path().join(format!("t/h0.log{}", config.compression.suffix()));
        let mut delivery = Delivery::new(config);
        delivery.sent = vec![(0, 1)];
        delivery.finish().await;
        // Enough for a member before the commit, and one with it.
        delivery.sent.extend((2..40_002).map(|number| (0, number)));
        delivery.write(40_000).await.unwrap();
        std::fs::remove_file(&path).unwrap();
        delivery.finish().await;
        assert_eq!(contents(folder.path()), expected(&delivery.sent[1..]), "{compression}");
    }
}

/// What the file at the path holds in the end, in a word for each line.
fn numbers(path: &Path) -> Vec<u32> {
    let text = std::fs::read_to_string(path).unwrap();
    text.lines().map(|line| line.get(..6).unwrap().parse().unwrap()).collect()
}

#[tokio::test]
async fn a_file_that_comes_back_to_its_path_is_written_behind_and_never_cut() {
    for (is_killed, is_written_meanwhile) in
        [(false, false), (true, false), (false, true), (true, true)]
    {
        let folder = tempfile::tempdir().unwrap();
        let mut delivery = Delivery::new(config(folder.path(), &json!({})));
        let (path, aside) = (folder.path().join("t/h0.log"), folder.path().join("aside"));
        delivery.sent = vec![(0, 1)];
        delivery.finish().await;
        delivery.sent.push((0, 2));
        delivery.write(1).await.unwrap();
        std::fs::rename(&path, &aside).unwrap();
        delivery.commit().await;
        if is_written_meanwhile {
            delivery.sent.push((0, 3));
            delivery.finish().await;
            assert_eq!(numbers(&path), [3]);
        }
        std::fs::rename(&aside, &path).unwrap();
        if is_killed {
            delivery.kill().await;
        }
        delivery.sent.push((0, 4));
        delivery.finish().await;
        assert_eq!(numbers(&path), [1, 2, 4], "killed {is_killed}, written {is_written_meanwhile}");
    }
}

#[tokio::test]
async fn a_state_of_a_version_that_did_not_say_which_file_it_is_still_cuts_it() {
    let folder = tempfile::tempdir().unwrap();
    let mut delivery = Delivery::new(config(folder.path(), &json!({})));
    let path = folder.path().join("t/h0.log");
    std::fs::create_dir(path.parent().unwrap()).unwrap();
    std::fs::write(&path, "000001 x\n000002 half a wr").unwrap();
    delivery.sink.resume(&alone(r#"{"v":1,"files":{"t/h0.log":[9,0,0]}}"#)).await.unwrap();
    assert_eq!(std::fs::read_to_string(&path).unwrap(), "000001 x\n");
    delivery.sent.push((0, 2));
    delivery.finish().await;
    assert_eq!(numbers(&path), [1, 2]);
}
