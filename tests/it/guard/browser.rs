//! A real browser with a page of somebody else, who would like to use the agent.

use std::process::Command;
use std::sync::Arc;

use axum::Router;
use axum::response::Html;
use axum::routing::get;
use parking_lot::Mutex;
use tokio::net::TcpListener;
use tokio::runtime::Runtime;

use crate::support::{Agent, server};

use super::{anabranch, topics};

/// Everything that a page can try: what needs no leave of the agent (simple requests), what the browser asks leave for
/// first, a form, and reading. At the end the page says what came of it.
const PAGE: &str = r#"<html><body><pre id="told">nothing</pre>
<iframe name="hole"></iframe>
<form id="form" method="post" enctype="text/plain" target="hole" action="http://AGENT/api/v1/topics/by-form/records">
<input name='{"value":"' value='"}'></form>
<script>
const agent = "http://AGENT/api/v1/";
const told = [];
async function attempt(what, path, options) {
  try {
    const answer = await fetch(agent + path, options);
    told.push(what + ":" + answer.type + ":" + answer.status + ":" + (await answer.text()).length);
  } catch (error) {
    told.push(what + ":refused");
  }
}
async function all() {
  const record = '{"value":"stolen"}\n';
  document.getElementById("form").submit();
  navigator.sendBeacon(agent + "topics/by-beacon/records", new Blob([record]));
  await attempt("simple", "topics/by-simple/records", { method: "POST", mode: "no-cors", body: record });
  await attempt("untyped", "topics/by-untyped", { method: "POST", mode: "no-cors", body: new Blob([""]) });
  await attempt("json", "topics/by-json/records", { method: "POST", headers: { "Content-Type": "application/x-ndjson" }, body: record });
  await attempt("delete", "topics/kept", { method: "DELETE" });
  await attempt("read", "hub", {});
  await attempt("metrics", "../../metrics", {});
  document.getElementById("told").textContent = "told " + told.join(" ") + " end";
}
all();
</script></body></html>"#;

/// Serves the page from now on; gives `host:port`.
fn page(runtime: &Runtime, agent: &str, asked: &Arc<Mutex<usize>>) -> String {
    let (html, asked) = (PAGE.replace("AGENT", agent), Arc::clone(asked));
    let show = move || {
        *asked.lock() += 1;
        let html = html.clone();
        async move { Html(html) }
    };
    let listener = runtime.block_on(TcpListener::bind("127.0.0.1:0")).unwrap();
    let address = listener.local_addr().unwrap().to_string();
    let app = Router::new().route("/", get(show));
    runtime.spawn(async move { axum::serve(listener, app).await });
    address
}

/// What the browser shows of `url` in the end.
fn browse(program: &str, url: &str, rules: &str) -> String {
    let profile = tempfile::tempdir().unwrap();
    let output = Command::new(program)
        .args(["--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage", "--dump-dom"])
        .args(["--virtual-time-budget=20000", "--timeout=60000"])
        .arg(format!("--user-data-dir={}", profile.path().display()))
        .arg(format!("--host-resolver-rules={rules}"))
        .arg(url)
        .output()
        .unwrap();
    String::from_utf8_lossy(&output.stdout).into_owned()
}

#[test]
fn a_page_of_somebody_else_in_a_real_browser_reads_and_changes_nothing() {
    let Some(program) = server("ANABRANCH_CHROMIUM") else { return };
    let folder = tempfile::tempdir().unwrap();
    let agent = Agent::start(folder.path(), "");
    let (code, said) =
        anabranch(folder.path(), &["topics", "create", "kept", "--data-dir", "data"]);
    assert_eq!(code, 0, "{said}");
    let runtime =
        tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build();
    let (runtime, asked) = (runtime.unwrap(), Arc::default());
    let page = page(&runtime, &agent.admin, &asked);
    // Once as another port of this machine, once as a page of the world.
    let port = page.rsplit_once(':').unwrap().1;
    for url in [format!("http://{page}/"), format!("http://evil.example:{port}/")] {
        let shown = browse(&program, &url, "MAP evil.example 127.0.0.1");
        assert!(shown.contains("told simple:"), "{url}: {shown}");
        for refused in ["json:refused", "delete:refused", "read:refused", "metrics:refused end"] {
            assert!(shown.contains(refused), "{url}: {shown}");
        }
    }
    assert_eq!(*asked.lock(), 2);
    assert_eq!(topics(&agent), ["kept"]);
}

#[test]
fn a_name_that_is_bound_to_this_machine_shows_nothing_to_a_real_browser() {
    let Some(program) = server("ANABRANCH_CHROMIUM") else { return };
    let folder = tempfile::tempdir().unwrap();
    let agent = Agent::start(folder.path(), "");
    let port = agent.admin.rsplit_once(':').unwrap().1;
    for path in ["metrics", "health", "api/v1/hub"] {
        let url = format!("http://evil.example:{port}/{path}");
        let shown = browse(&program, &url, "MAP evil.example 127.0.0.1");
        assert!(shown.contains("is no name of this agent"), "{shown}");
        assert!(!shown.contains("anabranch_build_info") && !shown.contains("data_dir"), "{shown}");
        let own = browse(&program, &format!("http://{}/{path}", agent.admin), "");
        assert!(!own.contains("is no name of this agent"), "{own}");
        let shown = ["anabranch_build_info", "\"status\"", "\"data_dir\""];
        assert!(shown.iter().any(|part| own.contains(part)), "{own}");
    }
}
