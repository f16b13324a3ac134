// Whisper's rule: timestamps, the ids above params.no_timestamps, stand in pairs that never go back.
//   after a timestamp: a text where the token before is one or is missing, else a timestamp or an end
//   the first generated token is a timestamp of at most max_initial after the first one
struct Timestamps {
  text: u32,   // ids below are banned
  first: u32,  // timestamps below are banned,
  end: u32,    // and so are those from here on
}

// What row r, of `length` tokens of which `start` were given, may go on with.
fn timestamps_after(r: u32, length: u32, start: u32) -> Timestamps {
  let begin = params.no_timestamps + 1u;
  var allowed = Timestamps(0u, begin, params.V);
  if (length == start) {
    allowed.text = begin;
    if (params.max_initial < params.V - begin) { allowed.end = begin + params.max_initial + 1u; }
    return allowed;
  }
  let closes = token(r, length - 1u) >= begin;
  let opened = length < start + 2u || token(r, length - 2u) >= begin;
  if (closes && opened) { allowed.end = begin; }
  if (closes && !opened) { allowed.text = rules[4]; }        // the first end id
  var t = length;
  while (t > start && token(r, t - 1u) < begin) { t--; }
  if (t > start) { allowed.first = token(r, t - 1u) + select(1u, 0u, closes && !opened); }
  return allowed;
}

fn is_timestamp(v: u32) -> bool { return v > params.no_timestamps; }

fn bans(allowed: Timestamps, v: u32) -> bool {
  return v < allowed.text || v == params.no_timestamps ||
    (is_timestamp(v) && (v < allowed.first || v >= allowed.end));
}
