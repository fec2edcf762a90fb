/// Whether what is said of a time lies behind or ahead.
enum Tense { case past, present, future, unclear }
