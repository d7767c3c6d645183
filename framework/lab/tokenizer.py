"""The lab's word-level tokenizer: a few hundred words and Qwen's special tokens, in the ordinary tokenizer files.

Text is lower-cased and punctuation is split off, so that what people type is read; a number is read digit by digit; a
letter that stands alone is the option letter, always a capital. It knows nothing of the model or of videos.
"""

from __future__ import annotations

import re
from functools import cache

from tokenizers import Regex, Tokenizer, models, normalizers, pre_tokenizers
from transformers import PreTrainedTokenizerFast

from framework.lab.world import COLOURS, SHAPES, SIZES

LETTERS = tuple("ABCDEFGH")
UNKNOWN = "<unk>"
SPECIAL = (
    "<|endoftext|>",
    "<|im_start|>",
    "<|im_end|>",
    "<|vision_start|>",
    "<|vision_end|>",
    "<|vision_pad|>",
    "<|image_pad|>",
    "<|video_pad|>",
)
PUNCTUATION = "? . , : ; ! ' \" ( ) - /"
ASKING = """
    what which when who where why how is are was were be does do did the of it its this that these those
    color colors shape shapes size object objects thing things start middle end none yes no first last
    before after same different option options answer letter letters user assistant system
"""
OTHER = """
    0 1 2 3 4 5 6 7 8 9 zero one two three four five six seven eight nine ten once twice
    an and or not but if then than so as at by for from in into on to with without there here all any some each every
    both either neither other another only just also very more most less least many much few several
    i you he she we they me my your his her our their can could will would should may might must have has had get gets
    show shows shown see seen look looks appear appears appeared visible video videos clip frame frames image picture
    scene screen second seconds minute minutes time times moment begin begins beginning early earlier late later
    during while until now again come comes came go goes move moves moving stay stays stand left right up down top
    bottom upper lower corner center near next between behind above below side big bigger biggest little tiny smaller
    smallest larger largest long short old new orange pink brown gray grey magenta violet gold silver dark bright light
    pale colored circle diamond hexagon arrow round line dot plus man woman person people child dog cat
    bird car house tree ball water sky ground road hand face head book table chair door room word words number numbers
    text question questions correct true false following best choose select pick name tell describe please say give
    find count happen happens happened do done make made take use wear wears hold play talk kind type part piece
    background noise cell day night like about
    """
_LETTER = re.compile("[A-Za-z]")
TEXTS = (PUNCTUATION, ASKING, OTHER)
CHAT_TEMPLATE = """\
{%- for message in messages -%}
<|im_start|>{{ message['role'] }}
{% if message['content'] is string %}{{ message['content'] }}{% else -%}
{%- for part in message['content'] -%}
{%- if part['type'] == 'video' or 'video' in part -%}<|vision_start|><|video_pad|><|vision_end|>
{%- elif part['type'] == 'image' or 'image' in part -%}<|vision_start|><|image_pad|><|vision_end|>
{%- elif 'text' in part -%}{{ part['text'] }}{%- endif -%}
{%- endfor -%}
{%- endif %}<|im_end|>
{% endfor -%}
{%- if add_generation_prompt -%}<|im_start|>assistant
{% endif -%}
"""


def words() -> tuple[str, ...]:
    """Lists every entry of the vocabulary, in order of id, each once."""
    return tuple(dict.fromkeys((*SPECIAL, UNKNOWN, *LETTERS, *SHAPES, *COLOURS, *SIZES, *" ".join(TEXTS).split())))


def words_of(text: str) -> tuple[list[str], list[str]]:
    """Splits what is typed into the words that the vocabulary has and those that it lacks, as the model reads them.

    Punctuation is no word, nor is a single letter, such as the one that is left of "what's".
    """
    reader = _reader()
    pieces = [piece for piece, _ in reader.pre_tokenizer.pre_tokenize_str(reader.normalizer.normalize_str(text))]
    known: list[str] = []
    unknown: list[str] = []
    for piece in pieces:
        if any(character.isalnum() for character in piece) and not _LETTER.fullmatch(piece):
            (unknown if reader.token_to_id(piece) is None else known).append(piece)
    return known, unknown


@cache
def _reader() -> Tokenizer:
    return build_tokenizer().backend_tokenizer


def build_tokenizer() -> PreTrainedTokenizerFast:
    """Builds the tokenizer. Its ids depend on `words()` alone."""
    tokenizer = Tokenizer(models.WordLevel({word: index for index, word in enumerate(words())}, unk_token=UNKNOWN))
    letters = [normalizers.Replace(Regex(rf"\b{letter.lower()}\b"), letter) for letter in LETTERS]
    american = normalizers.Replace("colour", "color")
    tokenizer.normalizer = normalizers.Sequence([normalizers.NFKC(), normalizers.Lowercase(), american, *letters])
    tokenizer.pre_tokenizer = pre_tokenizers.Sequence(
        [pre_tokenizers.WhitespaceSplit(), pre_tokenizers.Punctuation(), pre_tokenizers.Digits(individual_digits=True)]
    )
    fast = PreTrainedTokenizerFast(
        tokenizer_object=tokenizer,
        unk_token=UNKNOWN,
        eos_token="<|im_end|>",
        pad_token="<|endoftext|>",
        additional_special_tokens=[word for word in SPECIAL if word not in ("<|im_end|>", "<|endoftext|>")],
        clean_up_tokenization_spaces=False,
        model_max_length=32768,
    )
    fast.chat_template = CHAT_TEMPLATE
    return fast
