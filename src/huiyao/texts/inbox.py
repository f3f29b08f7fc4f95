"""What an in-app message says. The parameters are what `rules.announce` put into it."""

from typing import Final

from huiyao.model import Kind, Message, MsgStatus
from huiyao.rules.announce import EXCERPT_CHARACTERS, Answer
from huiyao.texts import dates, language
from huiyao.texts.facts import Facts, Old, Shown, one_line, read
from huiyao.texts.language import Language

NAMES_SHOWN: Final = 3  # of the people whose answers one message reports


def render(message: Message, *, timezone: str, locale: str) -> str:
    """The text for a reader: of `locale` en in English, of any other in Chinese."""
    words = language.of(locale)
    params = read(message.params)
    content = _excerpt(params.content)
    if message.kind == Kind.ANSWERED:
        return f"{_answers(params, words)}{words.colon}{content}"
    facts = Facts(
        organizer=params.organizer,
        content=content,
        place=one_line(params.address),
        begin_at=params.begin_at,
        end_at=params.end_at,
        now=message.created_at,
        clock=dates.clock(timezone, now=message.created_at),
        # Who is invited or removed by an update was told nothing before it.
        old=params.old if message.kind == Kind.UPDATED else Old(),
    )
    return words.sentences(words.opening(message.kind, facts), words.details(message.kind, facts))


def _excerpt(content: str) -> str:
    """On one line; one that was cut shows it."""
    text = one_line(content)
    return f"{text}…" if len(content) >= EXCERPT_CHARACTERS else text


def _answers(params: Shown, words: Language) -> str:
    shown = params.answers[:NAMES_SHOWN]
    more = params.answer_count - len(shown)
    others = words.others.format(count=more) if more > 0 else ""
    return words.comma.join(_answer(one, words) for one in shown) + others


def _answer(answer: Answer, words: Language) -> str:
    verb = words.accepted if answer.msg_status == MsgStatus.ACCEPTED else words.declined
    reply = one_line(answer.reply)
    return verb.format(name=answer.name) + (words.reply.format(reply=reply) if reply else "")
