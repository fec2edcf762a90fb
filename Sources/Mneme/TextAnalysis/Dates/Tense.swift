/// The tense of a clause: it tells of the past, of now, or of what lies ahead.
enum Tense { case past, present, future, unclear }
