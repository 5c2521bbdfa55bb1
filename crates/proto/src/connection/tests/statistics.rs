//! What is counted.

use super::*;

#[test]
fn whole_messages_and_all_bytes_are_counted_on_both_ends() {
    let ((mut server, now), (mut client, _)) = (server(), client());
    client.send_text("hello").unwrap();
    client
        .send_fragment(MessageKind::Binary, b"a", false)
        .unwrap();
    client
        .send_fragment(MessageKind::Binary, b"b", true)
        .unwrap();
    client.ping(b"").unwrap();
    let out = transmit(&mut client, now);
    receive(&mut server, &out, now);
    let batch = EncodedBatch::new(vec!["one".into(), "two".into()]);
    server.send_batch(&batch, now, <[u8]>::len).unwrap();
    server.send_encoded(&"three".into()).unwrap();
    transmit(&mut server, now);
    let sent = client.statistics();
    let received = server.statistics();
    assert_eq!((sent.messages_sent, received.messages_received), (2, 2));
    assert_eq!(sent.bytes_sent, out.len() as u64);
    assert_eq!(received.bytes_received, out.len() as u64);
    assert_eq!(received.messages_sent, 3);
    assert_eq!(received.bytes_sent, 5 + 5 + 7 + 2, "with the pong");
}
