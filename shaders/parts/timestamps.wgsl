// Whisper's rule: timestamps, the ids above no_timestamps, stand in pairs that never go back.
//   after a timestamp: a text where the token before is one or is missing, else a timestamp or an end
//   the first generated token is a timestamp of at most max_initial after the first one
struct Timestamps {
  text: u32,   // ids below are banned
  first: u32,  // timestamps below are banned,
  end: u32,    // and so are those from here on
}

// What the row may go on with.
fn timestamps_after(s: Rules) -> Timestamps {
  let begin = s.no_timestamps + 1u;
  var allowed = Timestamps(0u, begin, params.V);
  if (s.length == s.start) {
    allowed.text = begin;
    if (s.max_initial < params.V - begin) { allowed.end = begin + s.max_initial + 1u; }
    return allowed;
  }
  let closes = token(s, s.length - 1u) >= begin;
  let opened = s.length < s.start + 2u || token(s, s.length - 2u) >= begin;
  if (closes && opened) { allowed.end = begin; }
  if (closes && !opened) { allowed.text = lists[s.lists + 4u]; }        // the first end id
  var t = s.length;
  while (t > s.start && token(s, t - 1u) < begin) { t--; }
  if (t > s.start) { allowed.first = token(s, t - 1u) + select(1u, 0u, closes && !opened); }
  return allowed;
}

fn is_timestamp(s: Rules, v: u32) -> bool { return v > s.no_timestamps; }

fn bans(s: Rules, allowed: Timestamps, v: u32) -> bool {
  return v < allowed.text || v == s.no_timestamps ||
    (is_timestamp(s, v) && (v < allowed.first || v >= allowed.end));
}
