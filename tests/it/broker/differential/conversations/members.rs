//! The life of a group of consumers: one, two, a rebalance, and nobody.

use super::player::Player;
use super::topic;
use super::words::{
    Member, Terms, await_state, begin_join, commit, committed, delete, delete_offsets, describe,
    heartbeat, join, leave, list, sync,
};

const RANGE: (&str, &str) = ("consumer", "range");

pub(super) fn play(player: &mut Player) {
    let name = topic::make(player);
    let group = format!("members{}", player.suffix);
    player.ask("describe nobody", describe(&group));
    player.ask("list nobody", list(&[], &[]));
    let first = alone(player, &group, &name);
    claims(player, &first, &name);
    let (first, second) = rebalance(player, &first, &name);
    let first = again(player, (&first, &second), &name);
    end(player, (&first, &second), &name);
    topic::unmake(player, &name);
}

/// The first member, up to its assignment.
fn alone(player: &mut Player, group: &str, name: &str) -> Member {
    let mut first = Member::new(group);
    let terms = Terms::consumer(&[name]);
    player.ask("join as nobody knows whom", join(&first.named("nobody"), &terms));
    let joining = begin_join(player, "first joins", &first, &terms);
    first.told(&player.end(&joining));
    player.ask("describe before the assignment", describe(group));
    player.ask("list before the assignment", list(&["CompletingRebalance"], &[]));
    player.ask("heartbeat before the assignment", heartbeat(&first));
    player.ask("commit before the assignment", commit(&first, (name, 0), 1));
    player.ask("delete before the assignment", delete(group));
    player.ask("delete offsets before the assignment", delete_offsets(group, &[name]));
    player.ask("sync of a stranger", sync(&first.named("nobody"), RANGE, &[]));
    player.ask("sync of a generation to come", sync(&first.later(1), RANGE, &[]));
    player.ask("sync of a generation before", sync(&first.later(-1), RANGE, &[]));
    player.ask("join again before the assignment", join(&first, &terms));
    player.ask("first syncs", sync(&first, RANGE, &[(&first, b"all"), (&first.named("x"), b"no")]));
    player.ask("first syncs again", sync(&first, RANGE, &[(&first, b"other")]));
    first
}

/// What may be said in whose name while the group is stable.
fn claims(player: &mut Player, first: &Member, name: &str) {
    let group = first.group.as_str();
    let stranger = Member::new(group);
    player.ask("describe stable", describe(group));
    player.ask("list stable", list(&["Stable"], &[]));
    player.ask("list stable in small letters", list(&["stable"], &["CLASSIC"]));
    player.ask("list empty ones", list(&["Empty"], &[]));
    player.ask("list dead and stable ones", list(&["Dead", "Stable"], &["classic"]));
    player.ask("list nonsense", list(&["Nonsense"], &[]));
    player.ask("list new consumers", list(&[], &["consumer"]));
    player.ask("list both types", list(&[], &["consumer", "classic"]));
    player.ask("list a type of nonsense", list(&[], &["nonsense"]));
    for (who, member) in [
        ("first", first.clone()),
        ("first of before", first.later(-1)),
        ("first to come", first.later(1)),
        ("first without a generation", Member { generation: -1, ..first.clone() }),
        ("somebody", first.named("somebody")),
        ("nobody", first.named("")),
        ("a stranger", stranger.clone()),
        ("first with an instance", first.fixed("instance")),
    ] {
        player.ask(&format!("heartbeat of {who}"), heartbeat(&member));
        player.ask(&format!("commit of {who}"), commit(&member, (name, 0), 5));
        player.ask(&format!("committed after {who}"), committed(group, (name, &[0, 1]), false));
    }
    player.ask("commit to no topic", commit(first, ("absent-topic", 0), 5));
    let somebody = first.named("somebody");
    player.ask("commit of somebody to no topic", commit(&somebody, ("absent-topic", 0), 5));
    player.ask("delete with a member", delete(group));
    player.ask("delete offsets that are read", delete_offsets(group, &[name]));
    player.ask("delete offsets of two", delete_offsets(group, &[name, "absent-topic"]));
    player.ask("leave as somebody", leave(group, &[&first.named("somebody")]));
    player.ask("leave as nobody", leave(group, &[&stranger]));
    player.ask("leave another group", leave("absent-group", &[first]));
}

/// A second member comes.
fn rebalance(player: &mut Player, first: &Member, name: &str) -> (Member, Member) {
    let (group, terms) = (first.group.as_str(), Terms::consumer(&[name]));
    let (mut first, mut second) = (first.clone(), Member::new(group));
    let joining = begin_join(player, "second joins", &second, &terms);
    await_state(player, group, "PreparingRebalance");
    player.ask("list in the rebalance", list(&["PreparingRebalance"], &[]));
    player.ask("heartbeat in the rebalance", heartbeat(&first));
    player.ask("heartbeat of before in the rebalance", heartbeat(&first.later(-1)));
    player.ask("sync in the rebalance", sync(&first, RANGE, &[(&first, b"late")]));
    player.ask("commit in the rebalance", commit(&first, (name, 0), 6));
    player.ask("delete in the rebalance", delete(group));
    player.ask("delete offsets in the rebalance", delete_offsets(group, &[name]));
    first.told(&player.ask("first joins again", join(&first, &terms)));
    second.told(&player.end(&joining));
    player.ask("describe both before the assignment", describe(group));
    let syncing = player.begin("second syncs", sync(&second, RANGE, &[(&second, b"mine")]));
    player.ask("first syncs for both", sync(&first, RANGE, &[(&first, b"one"), (&second, b"two")]));
    player.end(&syncing);
    player.ask("describe both", describe(group));
    player.ask("heartbeat of second", heartbeat(&second));
    player.ask("commit of second", commit(&second, (name, 1), 7));
    player.ask("committed by both", committed(group, (name, &[0, 1, 9]), false));
    (first, second)
}

/// Members join again: without a change, and with one.
fn again(player: &mut Player, (first, second): (&Member, &Member), name: &str) -> Member {
    let (group, terms) = (first.group.as_str(), Terms::consumer(&[name]));
    let other = Terms::consumer(&[name, "another"]);
    let (mut first, mut second) = (first.clone(), second.clone());
    player.ask("second joins again as before", join(&second, &terms));
    player.ask("describe after that", describe(group));
    let joining = player.begin("second joins with another topic", join(&second, &other));
    await_state(player, group, "PreparingRebalance");
    player.ask("describe what second has changed", describe(group));
    first.told(&player.ask("first follows", join(&first, &terms)));
    second.told(&player.end(&joining));
    let syncing = player.begin("second syncs for the second time", sync(&second, RANGE, &[]));
    player.ask("first assigns only itself", sync(&first, RANGE, &[(&first, b"everything")]));
    player.end(&syncing);
    player.ask("describe one assignment", describe(group));
    // The leader wants to assign anew.
    let joining = player.begin("first joins again", join(&first, &terms));
    await_state(player, group, "PreparingRebalance");
    player.ask("second hears of it", heartbeat(&second));
    second.told(&player.ask("second follows", join(&second, &other)));
    first.told(&player.end(&joining));
    player.ask("first syncs with nothing", sync(&first, RANGE, &[]));
    player.ask("second finds nothing", sync(&second, RANGE, &[]));
    player.ask("second leaves", leave(group, &[&second]));
    player.ask("second leaves again", leave(group, &[&second]));
    player.ask("second is not known", heartbeat(&second));
    player.ask("second cannot commit", commit(&second, (name, 0), 8));
    player.ask("describe after leaving", describe(group));
    player.ask("first hears that second left", heartbeat(&first));
    first.told(&player.ask("first joins alone", join(&first, &terms)));
    first
}

/// All leave; the group is empty, then deleted.
fn end(player: &mut Player, (first, gone): (&Member, &Member), name: &str) {
    let group = first.group.as_str();
    player.ask("several leave", leave(group, &[first, gone, &first.named("nobody")]));
    player.ask("describe empty", describe(group));
    player.ask("list the empty one", list(&["Empty"], &["classic"]));
    player.ask("heartbeat to nobody", heartbeat(first));
    player.ask("sync with nobody", sync(first, RANGE, &[]));
    player.ask("join as one that left", join(first, &Terms::consumer(&[name])));
    player.ask("commit as one that left", commit(first, (name, 0), 9));
    player.ask("commit as somebody", commit(&first.named("somebody"), (name, 0), 10));
    player.ask("commit from outside", commit(&Member::new(group), (name, 0), 11));
    let outside = Member::new(group);
    player.ask(
        "commit from outside as one that left",
        commit(&outside.named(&first.id), (name, 0), 12),
    );
    player.ask("commit with a generation and no id", commit(&outside.later(3), (name, 0), 13));
    player.ask("committed in the end", committed(group, (name, &[0, 1]), true));
    player.ask("delete offsets of the empty one", delete_offsets(group, &[name, "absent-topic"]));
    player.ask("committed after that", committed(group, (name, &[0, 1]), true));
    player.ask("delete", delete(group));
    player.ask("delete again", delete(group));
    player.ask("describe deleted", describe(group));
    player.ask("committed when deleted", committed(group, (name, &[0, 1]), false));
    player.ask("delete offsets when deleted", delete_offsets(group, &[name]));
    player.ask("heartbeat when deleted", heartbeat(first));
    player.ask("list deleted", list(&[], &[]));
}
