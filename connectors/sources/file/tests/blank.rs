//! What is no text: NUL where there are holes, and the mark of an encoding.

use std::fs::File;
use std::os::unix::fs::FileExt;

use super::hub::Bench;

/// Makes a file longer by a hole, under its writer.
fn lengthen(bench: &Bench, name: &str, bytes: u64) {
    let file = File::options().append(true).open(bench.path(name)).unwrap();
    file.set_len(file.metadata().unwrap().len() + bytes).unwrap();
}

#[tokio::test]
async fn a_hole_costs_nothing_however_large_and_is_counted_once() {
    for restart in [false, true] {
        let mut bench = Bench::new("*.log");
        bench.append("a.log", "1\n2\n");
        bench.start();
        bench.until(2).await;
        // Looked through byte for byte, it would take longer than any test.
        lengthen(&bench, "a.log", 1 << 42);
        bench.append("a.log", "3\n");
        bench.until(3).await;
        lengthen(&bench, "a.log", 5 << 30);
        if restart {
            bench.restart().await;
        }
        bench.append("a.log", "4\n\n");
        bench.expect(&["1", "2", "3", "4", ""]).await;
        assert_eq!(bench.dropped("nul"), 2);
        bench.restart().await;
        bench.append("a.log", "5\n");
        bench.expect(&["1", "2", "3", "4", "", "5"]).await;
    }
}

#[tokio::test]
async fn written_nul_before_a_line_is_left_out_too_and_nul_inside_of_it_stays() {
    let mut bench = Bench::new("*.log");
    let long = "\0".repeat(5 << 20);
    bench.append("a.log", "\0\0one\n\0two\0three\0\n\0\n");
    bench.append("a.log", &format!("{long}4\n{}", "\0".repeat(3)));
    bench.start();
    bench.expect(&["one", "two\0three\0", "4"]).await;
    assert_eq!(bench.dropped("nul"), 4);
    bench.append("a.log", "\0\n5\n");
    bench.expect(&["one", "two\0three\0", "4", "5"]).await;
    assert_eq!(bench.dropped("nul"), 5);
}

#[tokio::test]
async fn space_that_was_set_aside_is_read_as_it_is_written() {
    for bytes in [100_000, 1 << 40] {
        let mut bench = Bench::new("*.log").with("partial_line_timeout", "50ms");
        bench.append("a.log", "");
        lengthen(&bench, "a.log", bytes);
        bench.start();
        let mut wanted = Vec::new();
        let file = File::options().write(true).open(bench.path("a.log")).unwrap();
        let mut at = 0;
        for number in 0..20 {
            let line = format!("a line with the number {number}\n");
            file.write_all_at(line.as_bytes(), at).unwrap();
            at += line.len() as u64;
            wanted.push(line.trim_end().to_owned());
            if number % 3 == 0 {
                bench.until(wanted.len()).await;
            }
            if number % 7 == 0 {
                bench.restart().await;
            }
        }
        bench.expect(&wanted.iter().map(String::as_str).collect::<Vec<_>>()).await;
        assert_eq!(bench.dropped("nul"), 0);
    }
}

#[tokio::test]
async fn a_line_may_be_written_into_space_that_was_set_aside_in_several_parts() {
    for bytes in [100, 1 << 40] {
        let mut bench = Bench::new("*.log");
        bench.append("a.log", "");
        lengthen(&bench, "a.log", bytes);
        let file = File::options().write(true).open(bench.path("a.log")).unwrap();
        file.write_all_at(b"1\nhalf", 0).unwrap();
        bench.start();
        bench.until(1).await;
        file.write_all_at(b" a line\n3\n", 6).unwrap();
        bench.until(3).await;
        bench.restart().await;
        file.write_all_at(b"4\n", 16).unwrap();
        bench.expect(&["1", "half a line", "3", "4"]).await;
    }
}

#[tokio::test]
async fn a_hole_inside_of_a_line_costs_nothing_either() {
    let mut bench = Bench::new("*.log").with("max_line_bytes", "100");
    bench.append("a.log", "1\nthe begin");
    lengthen(&bench, "a.log", 1 << 42);
    bench.append("a.log", "the end\n2\n");
    bench.start();
    bench.until(4).await;
    assert!(bench.lines[1].starts_with("the begin\0") && bench.lines[2].ends_with("\0the end"));
    bench.restart().await;
    bench.append("a.log", "3\n");
    bench.until(5).await;
    assert_eq!([&bench.lines[0], &bench.lines[3], &bench.lines[4]], ["1", "2", "3"]);
    assert!(bench.dropped("nul") > 0);
}

#[tokio::test]
async fn a_byte_order_mark_at_the_start_of_a_file_is_no_part_of_its_first_line() {
    let mut bench = Bench::new("*.log");
    bench.append("a.log", "\u{feff}{\"a\":1}\n\u{feff}2\n");
    bench.append("b.log", "\u{feff}");
    bench.start();
    bench.until(2).await;
    bench.restart().await;
    bench.append("b.log", "3\n");
    bench.until(3).await;
    bench.append("a.log", "4\n");
    bench.until(4).await;
    bench.copy_and_truncate("a.log", "a.log.1");
    bench.append("a.log", "\u{feff}5\n");
    bench.restart().await;
    bench.expect(&["{\"a\":1}", "\u{feff}2", "3", "4", "5"]).await;
}

#[tokio::test]
async fn a_file_in_utf_16_is_stored_as_it_is() {
    let mut bench = Bench::new("*.log");
    let text: Vec<u8> = "\u{feff}a\nb\n".encode_utf16().flat_map(u16::to_le_bytes).collect();
    std::fs::write(bench.path("a.log"), &text).unwrap();
    bench.start();
    bench.until(2).await;
    bench.restart().await;
    bench.append("a.log", "c\n");
    bench.expect(&["\u{fffd}\u{fffd}a\0", "\0b\0", "\0c"]).await;
    assert_eq!(bench.dropped("nul"), 0);
}
