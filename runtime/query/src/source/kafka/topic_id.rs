//! The id of a topic (KIP-516), by which one that was deleted and made again is told from the one before.
#![expect(unsafe_code, reason = "the client's safe interface has no call that tells it")]

use std::ffi::{CStr, CString, c_char};
use std::time::Duration;

use rdkafka::bindings as native;
use rdkafka::consumer::Consumer as _;
use rdkafka::types::RDKafkaRespErr;

use super::context::Consumer;

/// What a broker answers that knows no ids.
const NO_ID: &str = "AAAAAAAAAAAAAAAAAAAAAA";

/// The topic's id, as text; `None` where the broker does not tell it in this time.
pub(super) fn topic_id(consumer: &Consumer, topic: &str, wait_max: Duration) -> Option<String> {
    let name = CString::new(topic).ok()?;
    let wait_ms = i32::try_from(wait_max.as_millis()).unwrap_or(i32::MAX);
    let client = consumer.client().native_ptr();
    let mut names = [name.as_ptr()];
    let mut reason: [c_char; 128] = [0; 128];
    // SAFETY: the client lives as long as the consumer, which is borrowed until the end. What the call is made with (one name, which
    // lives that long too, and options of the kind that it wants) is copied by it, and destroyed once, here. The event is this
    // function's own, since the queue is; it may be null, which `id_of` checks, and is destroyed after its last use.
    unsafe {
        let topics = native::rd_kafka_TopicCollection_of_topic_names(names.as_mut_ptr(), names.len());
        let kind = native::rd_kafka_admin_op_t::RD_KAFKA_ADMIN_OP_DESCRIBETOPICS;
        let options = native::rd_kafka_AdminOptions_new(client, kind);
        native::rd_kafka_AdminOptions_set_request_timeout(options, wait_ms, reason.as_mut_ptr(), reason.len());
        let queue = native::rd_kafka_queue_new(client);
        native::rd_kafka_DescribeTopics(client, topics, options, queue);
        let event = native::rd_kafka_queue_poll(queue, wait_ms);
        let id = id_of(event);
        if !event.is_null() {
            native::rd_kafka_event_destroy(event);
        }
        native::rd_kafka_queue_destroy(queue);
        native::rd_kafka_AdminOptions_destroy(options);
        native::rd_kafka_TopicCollection_destroy(topics);
        id
    }
}

/// The id in the answer about one topic.
///
/// # Safety
///
/// The event is null, or one of a queue that has not been destroyed.
unsafe fn id_of(event: *mut native::rd_kafka_event_t) -> Option<String> {
    if event.is_null() {
        return None;
    }
    // SAFETY: the event is valid, by this function's contract. What its parts are is asked before they are looked at: a result is there
    // where it is one of this call's and no error, and a description where the count says so. All live as long as the event.
    let id = unsafe {
        if native::rd_kafka_event_error(event) != RDKafkaRespErr::RD_KAFKA_RESP_ERR_NO_ERROR {
            return None;
        }
        let result = native::rd_kafka_event_DescribeTopics_result(event);
        if result.is_null() {
            return None;
        }
        let mut count = 0;
        let found = native::rd_kafka_DescribeTopics_result_topics(result, &raw mut count);
        if found.is_null() || count != 1 {
            return None;
        }
        let description = *found;
        let error = native::rd_kafka_TopicDescription_error(description);
        if !error.is_null() && native::rd_kafka_error_code(error) != RDKafkaRespErr::RD_KAFKA_RESP_ERR_NO_ERROR {
            return None;
        }
        let id = native::rd_kafka_TopicDescription_topic_id(description);
        if id.is_null() {
            return None;
        }
        let text = native::rd_kafka_Uuid_base64str(id);
        if text.is_null() {
            return None;
        }
        CStr::from_ptr(text).to_string_lossy().into_owned()
    };
    (id != NO_ID).then_some(id)
}
