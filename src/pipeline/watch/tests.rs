//! What those who look get to see, and what keeps them from seeing it.

use std::thread;

use super::*;

const FAR: Duration = Duration::from_secs(60);
const SHORT: Duration = Duration::from_millis(20);

fn watch() -> (Watch, Receiver<Question>, Threads, Stop) {
    let (threads, stop) = (Threads::default(), Stop::new());
    let facts = Facts {
        cluster: "localhost:9092".to_owned(),
        topic: "js_shoe".to_owned(),
        registry: "http://localhost:8081".to_owned(),
        seed: 42,
        instance_id: 0,
        started_ms: 0,
        interval: Duration::from_secs(1),
        count_limit: None,
        duration_limit: None,
        buffer_limit: 1,
    };
    let stats = Arc::new(Stats::new(Instant::now()).unwrap());
    let errors = Arc::new(ErrorSummary::new());
    let (mut watch, questions) =
        Watch::new(facts, SHORT, stop.clone(), stats, errors, threads.clone());
    (watch.times.patience, watch.times.stuck) = (SHORT, Duration::ZERO);
    (watch, questions, threads, stop)
}

/// Runs `look` while a thread `producer` does what `body` says.
fn while_producing<T>(
    threads: &Threads,
    stop: &Stop,
    body: impl FnOnce() + Send,
    look: impl FnOnce() -> T,
) -> T {
    thread::scope(|scope| {
        let (begun_in, begun) = bounded(1);
        scope.spawn(move || {
            let _watched = threads.watched("producer", stop);
            begun_in.send(()).unwrap();
            body();
        });
        begun.recv_timeout(FAR).unwrap();
        look()
    })
}

#[test]
fn who_looks_before_the_producer_is_there_sees_nothing_and_does_not_wait_for_it() {
    let (watch, questions, ..) = watch();
    assert!(watch.status().contains("\"state\":\"starting\""));
    assert_eq!(watch.alive(), Ok(()));
    assert!(questions.is_empty());
}

#[test]
fn many_who_look_at_once_ask_once() {
    let (mut watch, questions, threads, stop) = watch();
    (watch.times.fresh, watch.times.patience) = (FAR, FAR);
    let asked = while_producing(
        &threads,
        &stop,
        || {
            let mut asked = 0;
            for question in questions {
                asked += 1;
                let channel_chunks = 3;
                let client = Status::default();
                let _ = question.send(Inside {
                    client,
                    channel_chunks,
                });
            }
            assert_eq!(asked, 1);
        },
        || {
            let statuses: Vec<String> = thread::scope(|scope| {
                let watch = &watch;
                let looks: Vec<_> = (0..8)
                    .map(|_| scope.spawn(move || watch.status()))
                    .collect();
                looks.into_iter().map(|look| look.join().unwrap()).collect()
            });
            drop(watch);
            statuses
        },
    );
    assert!(
        asked
            .iter()
            .all(|status| status.contains("\"channel_chunks\":3"))
    );
}

#[test]
fn a_producer_that_does_not_answer_is_stuck_and_one_that_has_ended_is_not() {
    let (watch, questions, threads, stop) = watch();
    let (end, ended) = bounded::<()>(0);
    while_producing(
        &threads,
        &stop,
        move || {
            let _ = ended.recv();
            drop(questions);
        },
        || {
            let health = watch.alive();
            let error = health.unwrap_err();
            assert!(
                error.starts_with("the producer thread has not answered"),
                "{error}"
            );
            drop(end);
        },
    );
    assert_eq!(watch.alive(), Ok(()));
    assert_eq!(threads.panicked(), None);
}

#[test]
fn what_is_the_limit_is_judged_by_the_last_seconds_and_not_by_the_whole_run() {
    let at = |seconds: u32, blocked: u32| Snapshot {
        runtime: seconds * Duration::from_secs(1),
        generator_blocked: blocked * Duration::from_secs(1),
        ..Snapshot::default()
    };
    let mut lately = Lately::default();
    let mut blocked = |seconds, blocked| {
        let interval = lately.up_to(&at(seconds, blocked));
        (
            interval.time.as_secs(),
            interval.generator_blocked.as_secs(),
        )
    };
    assert_eq!(blocked(1, 1), (1, 1));
    assert_eq!(blocked(5, 5), (5, 5));
    assert_eq!(blocked(9, 5), (9, 5));
    assert_eq!(blocked(10, 5), (5, 0));
    assert_eq!(blocked(14, 5), (9, 0));
    assert_eq!(blocked(60, 6), (50, 1));
    // A loop that begins after a long start has a time of its own.
    assert_eq!(blocked(2, 0), (2, 0));
}

#[test]
fn a_thread_that_broke_down_is_the_end_of_health_if_the_run_does_not_end_in_time() {
    for (leeway, well) in [(FAR, true), (Duration::ZERO, false)] {
        let (mut watch, _questions, threads, stop) = watch();
        watch.leeway = leeway;
        let watched = threads.watched("generator", &stop);
        let broken = std::panic::catch_unwind(std::panic::AssertUnwindSafe(move || {
            let _watched = watched;
            panic!("on purpose");
        }));
        assert!(broken.is_err() && stop.is_stopped());
        let alive = watch.alive();
        assert_eq!(alive.is_ok(), well, "{alive:?}");
    }
}

#[test]
fn there_is_no_limit_before_the_loop_and_none_after_it() {
    let (watch, _questions, _threads, stop) = watch();
    let mut lately = Lately::default();
    let late = Snapshot {
        runtime: FAR,
        behind: FAR,
        ..Snapshot::default()
    };
    let mut limit = |state| watch.limited_by(&mut lately, state, &late);
    assert_eq!(limit(State::Starting), None);
    assert_eq!(limit(State::Producing), Some("generator"));
    assert_eq!(limit(State::Stopping), None);
    drop(stop);
}
