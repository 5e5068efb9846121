//! Asking for the ids of topics (KIP-516), which differ between a deleted topic and a new one of the same name.
#![expect(unsafe_code, reason = "the client's safe interface has no call that tells it")]

use std::collections::BTreeMap;
use std::ffi::{CStr, CString, c_char};
use std::time::Duration;

use rdkafka::ClientContext;
use rdkafka::bindings as native;
use rdkafka::client::Client;
use rdkafka::types::RDKafkaRespErr;

use weir_state::TopicId;

/// What a broker answers that knows no ids.
const NO_ID: &str = "AAAAAAAAAAAAAAAAAAAAAA";

/// For each of these topics its id, or `None` where the broker knows no ids. A topic that there is not is left out; `None` in all where
/// there is no answer in this time.
///
/// A connection on which a fetch waits for records answers when that does: this may take as long as `fetch.wait.max.ms`.
pub(super) fn topic_ids<C: ClientContext>(
    client: &Client<C>,
    topics: &[&str],
    wait_max: Duration,
) -> Option<BTreeMap<String, Option<TopicId>>> {
    let names: Vec<CString> = topics.iter().map(|topic| CString::new(*topic)).collect::<Result<_, _>>().ok()?;
    let mut names_native: Vec<*const c_char> = names.iter().map(|name| name.as_ptr()).collect();
    let wait_ms = i32::try_from(wait_max.as_millis()).unwrap_or(i32::MAX);
    let client = client.native_ptr();
    let mut reason: [c_char; 128] = [0; 128];
    // SAFETY: the client is borrowed until the end. What the call is made with (names, which live that long too, and options of the kind
    // that it wants) is copied by it, and destroyed once, here. The event is this function's own, since the queue is; it may be null,
    // which `ids_of` checks, and is destroyed after its last use.
    unsafe {
        let topics = native::rd_kafka_TopicCollection_of_topic_names(names_native.as_mut_ptr(), names_native.len());
        let kind = native::rd_kafka_admin_op_t::RD_KAFKA_ADMIN_OP_DESCRIBETOPICS;
        let options = native::rd_kafka_AdminOptions_new(client, kind);
        native::rd_kafka_AdminOptions_set_request_timeout(options, wait_ms, reason.as_mut_ptr(), reason.len());
        let queue = native::rd_kafka_queue_new(client);
        native::rd_kafka_DescribeTopics(client, topics, options, queue);
        let event = native::rd_kafka_queue_poll(queue, wait_ms);
        let ids = ids_of(event);
        if !event.is_null() {
            native::rd_kafka_event_destroy(event);
        }
        native::rd_kafka_queue_destroy(queue);
        native::rd_kafka_AdminOptions_destroy(options);
        native::rd_kafka_TopicCollection_destroy(topics);
        ids
    }
}

/// The ids in an answer.
///
/// # Safety
///
/// The event is null, or one of a queue that has not been destroyed.
unsafe fn ids_of(event: *mut native::rd_kafka_event_t) -> Option<BTreeMap<String, Option<TopicId>>> {
    if event.is_null() {
        return None;
    }
    let mut ids = BTreeMap::new();
    // SAFETY: the event is valid, by this function's contract. What its parts are is asked before they are looked at: a result is there
    // where it is one of this call's and no error, and as many descriptions as the count says. All live as long as the event.
    unsafe {
        if native::rd_kafka_event_error(event) != RDKafkaRespErr::RD_KAFKA_RESP_ERR_NO_ERROR {
            return None;
        }
        let result = native::rd_kafka_event_DescribeTopics_result(event);
        if result.is_null() {
            return None;
        }
        let mut count = 0;
        let found = native::rd_kafka_DescribeTopics_result_topics(result, &raw mut count);
        if found.is_null() {
            return None;
        }
        for index in 0..count {
            let description = *found.add(index);
            let error = native::rd_kafka_TopicDescription_error(description);
            if !error.is_null() && native::rd_kafka_error_code(error) != RDKafkaRespErr::RD_KAFKA_RESP_ERR_NO_ERROR {
                continue;
            }
            let name = native::rd_kafka_TopicDescription_name(description);
            let id = native::rd_kafka_TopicDescription_topic_id(description);
            if name.is_null() || id.is_null() {
                continue;
            }
            let id = native::rd_kafka_Uuid_base64str(id);
            if id.is_null() {
                continue;
            }
            let (name, id) = (CStr::from_ptr(name).to_string_lossy(), CStr::from_ptr(id).to_string_lossy());
            ids.insert(name.into_owned(), TopicId::new(&id).ok().filter(|_| id != NO_ID));
        }
    }
    Some(ids)
}
