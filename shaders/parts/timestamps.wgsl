// Whisper's rule: timestamps, the ids above the setting no_timestamps, stand in pairs that never go back.
//   after a timestamp: a text where the token before is one or is missing, else a timestamp or an end
//   the first generated token is a timestamp of at most max_initial after the first one
struct Timestamps {
  none: u32,   // the id before all timestamps, which is banned
  text: u32,   // ids below are banned
  first: u32,  // timestamps below are banned,
  end: u32,    // and so are those from here on
}

// What row r, of `length` tokens of which `start` were given, may go on with.
fn timestamps_after(r: u32, length: u32, start: u32) -> Timestamps {
  let b = rows[r].z;
  let begin = setting(b, SETTING_NO_TIMESTAMPS) + 1u;
  let most = setting(b, SETTING_MAX_INITIAL);
  var allowed = Timestamps(begin - 1u, 0u, begin, params.V);
  if (length == start) {
    allowed.text = begin;
    if (most < params.V - begin) { allowed.end = begin + most + 1u; }
    return allowed;
  }
  let closes = token(r, length - 1u) >= begin;
  let opened = length < start + 2u || token(r, length - 2u) >= begin;
  if (closes && opened) { allowed.end = begin; }
  if (closes && !opened) { allowed.text = lists[setting(b, SETTING_LISTS) + 4u]; } // first end id
  var t = length;
  while (t > start && token(r, t - 1u) < begin) { t--; }
  if (t > start) { allowed.first = token(r, t - 1u) + select(1u, 0u, closes && !opened); }
  return allowed;
}

fn is_timestamp(allowed: Timestamps, v: u32) -> bool { return v > allowed.none; }

fn bans(allowed: Timestamps, v: u32) -> bool {
  return v < allowed.text || v == allowed.none ||
    (is_timestamp(allowed, v) && (v < allowed.first || v >= allowed.end));
}
