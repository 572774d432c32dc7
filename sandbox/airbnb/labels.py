"""What the site says, in its three languages. English is as seen (field guide, sections 3.1 to 3.4)."""

from __future__ import annotations

from datetime import datetime
from typing import Literal

Locale = Literal["en", "fr", "ja"]

_EN = {
    "locale": "en",
    "messages": "Messages",
    "all": "All",
    "unread_filter": "Unread",
    "list": "List of Conversations",
    "end_of_list": "End of Inbox data",
    "load_more": "Load more",
    "empty": "You're all caught up",
    "unread": "Unread.",
    "row": "Read Conversation with {names}. Last message sent {time} is: {preview}."
    " Booking status is {status}. Reservation from {from} to {to} in {city}.",
    "you": "You",
    "start": "Start of Conversation",
    "most_recent": "Most Recent Message",
    "sent": "{name} sent {text}. Sent {when}",
    "service_says": "{name} service says {text}. Sent {when}.",
    "card": "{name} sent message but description not available. Sent {when}",
    "edited": ". Edited",
    "read_by": ". Read by {name}",
    "sent_by": "Sent by {name} · {role} at {time}. Tap to go to User Profile",
    "sent_by_bare": "Sent by {name} at {time}. Tap to go to User Profile",
    "today": "Today",
    "yesterday": "Yesterday",
    "sending": "Sending...",
    "not_sent": "Not sent. Try again",
    "composer": "Write a message...",
    "send": "Send",
    "more_actions": "More actions",
    "reactions_menu": "Reactions menu",
    "deleted": "This message was deleted",
    "photo": "Photo",
    "reservation": "Reservation",
    "show_listing": "Show listing",
    "whos_coming": "Who's coming",
    "guests": "{n} guests",
    "code": "Confirmation code",
    "choose": "Choose a conversation",
    "priority": "Priority",
    "chip_review": "Leave a review",
    "menu_reply": "Reply",
    "menu_report": "Report translation",
    "menu_read_by": "Message read by",
    "today_tab": "Today",
    "calendar_tab": "Calendar",
    "listings_tab": "Listings",
    "menu_tab": "Menu",
    "footer": "Privacy · Terms · Log in help · Hosting",
    "cookies": "We use cookies to make this inbox work.",
    "cookies_only": "Only necessary",
    "cookies_all": "Accept all",
    "notify_title": "Turn on notifications?",
    "notify_text": "Know right away when a guest writes.",
    "not_now": "Not now",
    "yes": "Yes, notify me",
    "close": "Close",
    "role_GUEST": "Booker",
    "role_HOST": "Host",
    "role_COTRAVELER": "Guest",
    "role_COHOST": "Co-host",
    "role_AGENT": "Airbnb",
    "role_AMBASSADOR": "Superhost Ambassador",
}

_FR = {
    "locale": "fr",
    "messages": "Messages",
    "all": "Tous",
    "unread_filter": "Non lus",
    "list": "Liste des conversations",
    "end_of_list": "Fin des messages",
    "load_more": "Afficher plus",
    "empty": "Vous êtes à jour",
    "unread": "Non lu.",
    "row": "Lire la conversation avec {names}. Dernier message envoyé {time} : {preview}."
    " Statut de la réservation : {status}. Réservation du {from} au {to} à {city}.",
    "you": "Vous",
    "start": "Début de la conversation",
    "most_recent": "Message le plus récent",
    "sent": "{name} a envoyé {text}. Envoyé {when}",
    "service_says": "Le service {name} dit {text}. Envoyé {when}.",
    "card": "{name} a envoyé un message sans description. Envoyé {when}",
    "edited": ". Modifié",
    "read_by": ". Lu par {name}",
    "sent_by": "Envoyé par {name} · {role} à {time}. Toucher pour voir le profil",
    "sent_by_bare": "Envoyé par {name} à {time}. Toucher pour voir le profil",
    "today": "Aujourd'hui",
    "yesterday": "Hier",
    "sending": "Envoi...",
    "not_sent": "Non envoyé. Réessayer",
    "composer": "Écrivez un message...",
    "send": "Envoyer",
    "more_actions": "Plus d'actions",
    "reactions_menu": "Menu des réactions",
    "deleted": "Ce message a été supprimé",
    "photo": "Photo",
    "reservation": "Réservation",
    "show_listing": "Voir l'annonce",
    "whos_coming": "Qui vient",
    "guests": "{n} voyageurs",
    "code": "Code de confirmation",
    "choose": "Choisissez une conversation",
    "priority": "Prioritaire",
    "chip_review": "Laisser un commentaire",
    "menu_reply": "Répondre",
    "menu_report": "Signaler la traduction",
    "menu_read_by": "Message lu par",
    "today_tab": "Aujourd'hui",
    "calendar_tab": "Calendrier",
    "listings_tab": "Annonces",
    "menu_tab": "Menu",
    "footer": "Confidentialité · Conditions · Aide à la connexion · Hosting",
    "cookies": "Nous utilisons des cookies pour faire fonctionner cette messagerie.",
    "cookies_only": "Uniquement les cookies nécessaires",
    "cookies_all": "Tout accepter",
    "notify_title": "Activer les notifications ?",
    "notify_text": "Sachez tout de suite quand un voyageur écrit.",
    "not_now": "Pas maintenant",
    "yes": "Oui, me prévenir",
    "close": "Fermer",
    "role_GUEST": "Voyageur principal",
    "role_HOST": "Hôte",
    "role_COTRAVELER": "Voyageur",
    "role_COHOST": "Co-hôte",
    "role_AGENT": "Airbnb",
    "role_AMBASSADOR": "Ambassadeur Superhost",
}

_JA = {
    "locale": "ja",
    "messages": "メッセージ",
    "all": "すべて",
    "unread_filter": "未読",
    "list": "会話のリスト",
    "end_of_list": "受信トレイの終わり",
    "load_more": "さらに表示",
    "empty": "すべて確認済みです",
    "unread": "未読。",
    "row": "{names}との会話を読む。{time}に送信された最後のメッセージ：{preview}。"
    "予約状況：{status}。{city}、{from}から{to}までの予約。",
    "you": "あなた",
    "start": "会話の始まり",
    "most_recent": "最新のメッセージ",
    "sent": "{name}が送信：{text}。送信日時：{when}",
    "service_says": "{name}サービス：{text}。送信日時：{when}。",
    "card": "{name}がメッセージを送信しましたが、説明はありません。送信日時：{when}",
    "edited": "。編集済み",
    "read_by": "。{name}が既読",
    "sent_by": "{name} · {role}が{time}に送信。タップしてプロフィールへ",
    "sent_by_bare": "{name}が{time}に送信。タップしてプロフィールへ",
    "today": "今日",
    "yesterday": "昨日",
    "sending": "送信中...",
    "not_sent": "送信できませんでした。もう一度",
    "composer": "メッセージを入力...",
    "send": "送信",
    "more_actions": "その他の操作",
    "reactions_menu": "リアクションメニュー",
    "deleted": "このメッセージは削除されました",
    "photo": "写真",
    "reservation": "予約",
    "show_listing": "リスティングを表示",
    "whos_coming": "宿泊者",
    "guests": "{n}人",
    "code": "確認コード",
    "choose": "会話を選んでください",
    "priority": "優先",
    "chip_review": "レビューを書く",
    "menu_reply": "返信",
    "menu_report": "翻訳を報告",
    "menu_read_by": "既読",
    "today_tab": "今日",
    "calendar_tab": "カレンダー",
    "listings_tab": "リスティング",
    "menu_tab": "メニュー",
    "footer": "プライバシー · 利用規約 · ログインのヘルプ · Hosting",
    "cookies": "この受信トレイはクッキーを使います。",
    "cookies_only": "必要なもののみ",
    "cookies_all": "すべて同意",
    "notify_title": "通知をオンにしますか？",
    "notify_text": "ゲストが書くとすぐにわかります。",
    "not_now": "今はしない",
    "yes": "はい",
    "close": "閉じる",
    "role_GUEST": "予約者",
    "role_HOST": "ホスト",
    "role_COTRAVELER": "ゲスト",
    "role_COHOST": "補助ホスト",
    "role_AGENT": "Airbnb",
    "role_AMBASSADOR": "スーパーホストアンバサダー",
}

_ALL: dict[str, dict[str, str]] = {"en": _EN, "fr": _FR, "ja": _JA}

_STATUSES = {
    "fr": {
        "Currently hosting": "Séjour en cours",
        "Confirmed": "Confirmé",
        "Completed": "Terminé",
        "Cancelled": "Annulé",
        "Enquiry sent": "Demande envoyée",
    },
    "ja": {
        "Currently hosting": "ホスティング中",
        "Confirmed": "確定",
        "Completed": "終了",
        "Cancelled": "キャンセル済み",
        "Enquiry sent": "問い合わせ済み",
    },
}

_MONTHS = {
    "en": ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"),
    "fr": ("janv.", "févr.", "mars", "avr.", "mai", "juin", "juil.", "août", "sept.", "oct.", "nov.", "déc."),
}


class Labels:
    """The words of one language; ``labels["send"]``. Raises KeyError for an unknown name or language."""

    def __init__(self, locale: Locale) -> None:
        self.locale = locale
        self.words = _ALL[locale]

    def __getitem__(self, name: str) -> str:
        return self.words[name]

    def status(self, status: str) -> str:
        """A booking status in this language; unknown ones stay as they are."""
        return _STATUSES.get(self.locale, {}).get(status, status)

    def day(self, at: datetime) -> str:
        """A date as a row shows it."""
        if self.locale == "ja":
            return f"{at.month}月{at.day}日"
        month = _MONTHS[self.locale][at.month - 1]
        return f"{at.day} {month}" if self.locale == "fr" else f"{month} {at.day}"

    def dates(self, start: datetime, end: datetime) -> str:
        """A stay's dates as a row shows them."""
        return f"{self.day(start)} – {self.day(end)}"
