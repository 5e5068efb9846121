//! A trace from a producer's header, through Weir, to a consumer's header and to a receiver of traces.

use std::net::TcpListener;
use std::path::Path;

use opentelemetry_proto::tonic::trace::v1::Span;
use weir_tests::{Broker, Export, Isolation, Received, Receiver, Record, Weir, guest_path, number_of, text_of};

use crate::support::SOON;

/// Whoever started the trace: recorded, and not.
const RECORDED: &str = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";
const UNRECORDED: &str = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-00";

/// Records with and without a context go from topic to topic, in one batch.
fn run(broker: &Broker, folder: &Path, environment: &[(&str, &str)]) -> (Vec<Received>, String) {
    let name = folder.file_name().expect("a name").to_string_lossy().replace('.', "");
    let (from, to) = (broker.topic(&format!("from-{name}"), 1), broker.topic(&format!("to-{name}"), 1));
    let record = |id: u64, headers: &[(&str, &str)]| {
        let headers = headers.iter().map(|(name, value)| ((*name).to_owned(), Some(value.as_bytes().to_vec())));
        Record { headers: headers.collect(), ..Record::of(format!("{{\"id\":{id}}}")) }
    };
    let records = [
        record(0, &[("traceparent", RECORDED), ("tracestate", "vendor=1"), ("other", "kept")]),
        record(1, &[("traceparent", UNRECORDED)]),
        record(2, &[("traceparent", "nonsense")]),
        record(3, &[]),
    ];
    broker.produce(&from, records);
    let module = guest_path("faulty").expect("a built guest");
    let (brokers, group) = (broker.address(), broker.name(&format!("group-{name}")));
    let text = format!(
        "name = \"numbers\"\n\
         [sources.ids]\nkind = \"kafka\"\nbrokers = {brokers:?}\ntopic = {from:?}\ngroup = {group:?}\n\
         schema = {{ id = \"i64\" }}\npartitions = \"all\"\nuntil = \"end\"\n\
         [[stages]]\nname = \"seen\"\nmodule = {module:?}\nfunction = \"seen\"\n\
         [sinks.out]\nkind = \"kafka\"\nbrokers = {brokers:?}\ntopic = {to:?}\n\
         [batching]\nrecords_max = 4\ndelay_ms_max = 5000\n"
    );
    std::fs::write(folder.join("q.toml"), text).expect("a query file");
    let mut weir = Weir::in_folder(folder);
    for (name, value) in environment {
        weir = weir.env(name, value);
    }
    let mut weir = weir.run(&["run", "q.toml"]);
    let status = weir.wait(SOON);
    assert!(status.success(), "{}", weir.stderr());
    let read = broker.read_all(&to, Isolation::Committed);
    assert_eq!(read.len(), 4);
    (read, weir.stderr())
}

/// The `traceparent`s of each record.
fn parents(records: &[Received]) -> Vec<Vec<String>> {
    let of = |record: &Received| {
        let parents = record.headers.iter().filter(|(name, _)| name == "traceparent");
        parents.map(|(_, value)| String::from_utf8_lossy(value.as_deref().unwrap_or_default()).into_owned()).collect()
    };
    records.iter().map(of).collect()
}

fn own() -> Vec<Vec<String>> {
    vec![vec![RECORDED.to_owned()], vec![UNRECORDED.to_owned()], vec!["nonsense".to_owned()], Vec::new()]
}

fn hex(id: &[u8]) -> String {
    id.iter().map(|byte| format!("{byte:02x}")).collect()
}

#[track_caller]
fn text<'a>(span: &'a Span, name: &str) -> &'a str {
    text_of(&span.attributes, name).unwrap_or_else(|| panic!("no text {name} in {span:?}"))
}

#[track_caller]
fn number(span: &Span, name: &str) -> i64 {
    number_of(&span.attributes, name).unwrap_or_else(|| panic!("no number {name} in {span:?}"))
}

#[test]
fn a_trace_goes_on_from_a_producer_s_header_to_a_consumer_s_and_its_spans_are_exported() {
    let (broker, receiver) = (Broker::shared(), Receiver::start());
    let folder = tempfile::tempdir().expect("a folder");
    let environment = [
        ("OTEL_EXPORTER_OTLP_ENDPOINT", receiver.address.as_str()),
        ("OTEL_EXPORTER_OTLP_HEADERS", "x-secret=open"),
        ("OTEL_RESOURCE_ATTRIBUTES", "deployment.environment.name=test"),
        // Nothing is sampled of itself: the recorded trace among the records is why.
        ("OTEL_TRACES_SAMPLER", "parentbased_always_off"),
    ];
    let (read, said) = run(&broker, folder.path(), &environment);

    let spans = receiver.spans();
    let named = |name: &str| {
        let mut found = spans.iter().filter(|span| span.name == name);
        let span = found.next().unwrap_or_else(|| panic!("no {name} in {spans:#?}"));
        assert!(found.next().is_none(), "one {name}");
        span
    };
    let batch = named("weir.batch");
    // From the producer, by link.
    let links: Vec<String> = batch
        .links
        .iter()
        .map(|link| format!("00-{}-{}-{:02x}", hex(&link.trace_id), hex(&link.span_id), link.flags & 1))
        .collect();
    assert_eq!(links, [RECORDED, UNRECORDED]);
    assert_eq!(number(batch, "weir.traceparent.malformed"), 1);
    // To the consumer, in the header.
    let written = format!("00-{}-{}-01", hex(&batch.trace_id), hex(&batch.span_id));
    assert_eq!(parents(&read), vec![vec![written]; 4]);
    let names: Vec<&str> = read[0].headers.iter().map(|(name, _)| name.as_str()).collect();
    assert_eq!(names, ["other", "traceparent"], "a tracestate is of the trace that it came with");

    for name in ["weir.source", "weir.stage", "weir.sink"] {
        let child = named(name);
        assert_eq!((&child.trace_id, &child.parent_span_id), (&batch.trace_id, &batch.span_id), "{name}");
        let whole = batch.start_time_unix_nano..=batch.end_time_unix_nano;
        assert!(whole.contains(&child.start_time_unix_nano) && whole.contains(&child.end_time_unix_nano), "{name}");
        assert_eq!((text(child, "weir.tenant"), text(child, "weir.query")), ("default", "numbers"));
    }
    let stage = named("weir.stage");
    assert_eq!((text(stage, "weir.stage"), text(stage, "weir.function")), ("seen", "seen"));
    assert_eq!((number(stage, "weir.records.in"), number(stage, "weir.records.out")), (4, 4));
    for (name, operation) in [("weir.source", "receive"), ("weir.batch", "process"), ("weir.sink", "send")] {
        let span = named(name);
        assert_eq!((text(span, "messaging.system"), text(span, "messaging.operation.type")), ("kafka", operation));
        assert_eq!(number(span, "messaging.batch.message_count"), 4);
    }
    let commit = named("weir.commit");
    assert_ne!(commit.trace_id, batch.trace_id);
    assert_eq!((&commit.links[0].trace_id, &commit.links[0].span_id), (&batch.trace_id, &batch.span_id));

    let requests = receiver.requests();
    let sent = requests.iter().find(|request| matches!(request.export, Export::Traces(_))).expect("an export");
    let resource = &sent.resource().expect("a resource").attributes;
    assert_eq!(text_of(resource, "service.name"), Some("weir"), "{resource:?}");
    assert_eq!(text_of(resource, "deployment.environment.name"), Some("test"), "{resource:?}");
    let head = sent.head.to_ascii_lowercase();
    assert!(head.starts_with("post /v1/traces ") && head.contains("x-secret: open"), "{head}");
    assert!(said.contains("traced 1 batches, 0 not sampled, 1 invalid traceparent headers"), "{said}");
}

#[test]
fn without_traces_records_keep_their_own_headers() {
    let broker = Broker::shared();
    let folder = tempfile::tempdir().expect("a folder");
    let (read, said) = run(&broker, folder.path(), &[]);
    assert_eq!(parents(&read), own());
    assert_eq!(read[0].headers.len(), 3, "{:?}", read[0].headers);
    assert!(!said.contains("traced"), "{said}");
}

#[test]
fn a_batch_that_is_not_sampled_exports_nothing_and_keeps_its_headers() {
    let (broker, receiver) = (Broker::shared(), Receiver::start());
    let folder = tempfile::tempdir().expect("a folder");
    let environment =
        [("OTEL_EXPORTER_OTLP_ENDPOINT", receiver.address.as_str()), ("OTEL_TRACES_SAMPLER", "always_off")];
    let (read, said) = run(&broker, folder.path(), &environment);
    assert_eq!(parents(&read), own());
    assert_eq!(receiver.spans(), []);
    assert!(said.contains("traced 0 batches, 1 not sampled"), "{said}");
}

#[test]
fn a_receiver_that_is_down_fails_nothing_and_is_said_once() {
    let broker = Broker::shared();
    let folder = tempfile::tempdir().expect("a folder");
    // Nobody listens where somebody has just stopped listening.
    let gone = TcpListener::bind("127.0.0.1:0").expect("a port").local_addr().expect("an address");
    let (read, said) = run(&broker, folder.path(), &[("OTEL_EXPORTER_OTLP_ENDPOINT", &format!("http://{gone}"))]);
    assert_eq!(read.len(), 4);
    assert_eq!(said.matches("spans are lost (queries are not affected)").count(), 1, "{said}");
    assert!(said.contains("spans lost on the way to the receiver of traces lost=5"), "{said}");
}

#[test]
fn a_receiver_that_never_answers_slows_nothing_and_every_span_is_accounted_for() {
    // Connections are taken by the system, and by nobody else.
    let silent = TcpListener::bind("127.0.0.1:0").expect("a port");
    let folder = tempfile::tempdir().expect("a folder");
    let text = "name = \"seed\"\n[sources.seed]\nkind = \"generator\"\nbatches = 2000\n[sinks.out]\nkind = \"count\"\n";
    std::fs::write(folder.path().join("q.toml"), text).expect("a query file");
    let endpoint = format!("http://{}/v1/traces", silent.local_addr().expect("an address"));
    let weir = Weir::in_folder(folder.path())
        .env("OTEL_EXPORTER_OTLP_TRACES_ENDPOINT", endpoint)
        .env("OTEL_EXPORTER_OTLP_TIMEOUT", "3600000")
        .env("OTEL_BSP_MAX_QUEUE_SIZE", "64");
    let mut weir = weir.run(&["run", "q.toml"]);
    assert!(weir.wait(SOON).success(), "{}", weir.stderr());
    let said = weir.stderr();
    assert_eq!(said.matches("spans are lost (queries are not affected)").count(), 1, "{said}");
    // Source, batch and sink of each, and one commit.
    assert!(said.contains("the receiver of traces lost=6001"), "{said}");
}
