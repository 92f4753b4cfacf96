//! An event stream: any bytes in any pieces give the same events and the same error as in one piece, within the limits, and every event is read
//! as a piece of an answer or refused. The calls in the pieces keep their limits.

#![no_main]

use libfuzzer_sys::fuzz_target;
use whimbrel_network::{
    CALL_ARGUMENTS_BYTES_MAX, CALL_NAME_BYTES_MAX, CALLS_MAX, CallReader, ChatCall, EVENT_BYTES_MAX, PieceReader,
    SseError, SseEvent, SseParser, read_error,
};

fn parse<'a>(pieces: impl Iterator<Item = &'a [u8]>) -> (Vec<SseEvent>, Option<SseError>) {
    let mut parser = SseParser::new();
    let mut events = Vec::new();
    for piece in pieces {
        if let Err(error) = parser.push(piece, &mut events) {
            return (events, Some(error));
        }
    }
    (events, None)
}

fn check(calls: &[ChatCall]) {
    assert!(calls.len() <= CALLS_MAX as usize);
    let fits = |call: &ChatCall| (1..=CALL_NAME_BYTES_MAX as usize).contains(&call.name.len());
    assert!(calls.iter().all(fits));
    // Empty arguments became two bytes each.
    let bytes: usize = calls.iter().map(|call| call.arguments.len()).sum();
    assert!(bytes <= (CALL_ARGUMENTS_BYTES_MAX + 2 * CALLS_MAX) as usize);
}

// The first byte says how long the pieces are, up to 16 bytes.
fuzz_target!(|data: &[u8]| {
    let Some((first, stream)) = data.split_first() else {
        return;
    };
    let whole = parse(std::iter::once(stream));
    let pieces = parse(stream.chunks(1 + usize::from(first & 15)));
    assert_eq!(whole, pieces);
    let mut reader = PieceReader::new();
    let mut calls = Ok(CallReader::new());
    for event in whole.0 {
        assert!(event.data.len() <= EVENT_BYTES_MAX as usize);
        if let Ok(Some(piece)) = reader.read(&event.data) {
            assert!(piece.text.is_none_or(|text| !text.is_empty()));
            assert!(piece.calls_tool || piece.calls.is_empty());
            for call in piece.calls {
                calls = calls.and_then(|mut calls| calls.read(call).map(|()| calls));
            }
        }
    }
    let _ = reader.finish();
    check(&calls.and_then(CallReader::finish).unwrap_or_default());
    let _ = read_error(stream);
});
